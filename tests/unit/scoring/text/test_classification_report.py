"""Classification report, equal to scikit-learn's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval import Response
from pytest_llmval.scoring.text.classification import LabelFigures, classification_report
from pytest_llmval.scoring.text.exact import exact_match


def rounded(figures):
    """As scikit-learn prints them, to two places."""
    return (*(round(each, 2) for each in (figures.precision, figures.recall, figures.f1)), figures.support)


def test_published_example(responses_to):
    """scikit-learn, documentation of classification_report: y_true = [0, 1, 2, 2, 2], y_pred = [0, 0, 2, 2, 1]."""
    report = classification_report(responses_to(*"00221", cases={"reference": [0, 1, 2, 2, 2]}))

    assert [rounded(each) for each in report.labels] == [
        (0.50, 1.00, 0.67, 1),
        (0.0, 0.0, 0.0, 1),
        (1.0, 0.67, 0.80, 3),
    ]
    assert report.accuracy == 3 / 5
    assert rounded(report.macro) == (0.50, 0.56, 0.49, 5)
    assert rounded(report.weighted) == (0.70, 0.60, 0.61, 5)
    # scikit-learn's confusion_matrix of the same: [[1, 0, 0], [1, 0, 0], [0, 1, 2]]; here with the column "no label".
    assert report.confusion == ((1, 0, 0, 0), (1, 0, 0, 0), (0, 1, 2, 0))


def test_answers_that_are_no_label(responses_to):
    """They lower recall and accuracy, and the precision of no label."""
    report = classification_report(responses_to("yes", "maybe", "", cases={"reference": ["yes", "yes", "no"]}))

    assert report.labels[1] == LabelFigures("yes", precision=1.0, recall=0.5, f1=2 / 3, support=2)
    assert report.confusion == ((0, 0, 1), (0, 1, 1))
    assert report.no_label == 2
    assert report.accuracy == 1 / 3


def test_what_is_left_out(responses_to):
    """Failed answers and cases without a reference are counted apart."""
    answers = ("yes", Response.failed("timeout"), "no")
    report = classification_report(responses_to(*answers, cases={"reference": ["yes", "yes", None]}))

    assert (report.failed, report.unscored, report.accuracy) == (1, 1, 1.0)
    assert report.version == "v1"


def test_trials(responses_to):
    """Each counts as an answer."""
    report = classification_report(responses_to("yes", "no", "no", "no", cases={"reference": ["yes", "no"]}, trials=2))

    assert report.accuracy == 3 / 4
    assert [each.support for each in report.labels] == [2, 2]


def test_several_references(responses_to):
    """The one that the answer equals counts, else the first."""
    report = classification_report(
        responses_to("b", "c", cases={"reference": [["a", "b"], ["a", "b"]]}), labels=["a", "b", "c"]
    )

    assert report.confusion == ((0, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 0))


def test_labels_as_given(responses_to):
    """In their order and spelling, compared once normalised; one without a case has zeros."""
    report = classification_report(
        responses_to(" YES", "no", cases={"reference": ["yes", "No"]}), labels=["Yes", "No", "Unclear"]
    )

    assert [each.label for each in report.labels] == ["Yes", "No", "Unclear"]
    assert report.accuracy == 1.0
    assert report.labels[2] == LabelFigures("Unclear", 0.0, 0.0, 0.0, 0)


def test_as_text(responses_to):
    """A table, the most frequent mistakes and what was left out."""
    answers = ("cat", "dog", "dog", "bird", Response.failed("timeout"))
    report = classification_report(responses_to(*answers, cases={"reference": ["cat", "cat", "cat", "dog", "dog"]}))

    assert str(report).splitlines() == [
        "                  precision  recall     f1  support",
        "cat                   1.000   0.333  0.500        3",
        "dog                   0.000   0.000  0.000        1",
        "macro average         0.500   0.167  0.250        4",
        "weighted average      0.750   0.250  0.375        4",
        "mistakes: cat -> dog: 2, dog -> (no label): 1",
        "accuracy 0.250 over 4 answers, 1 no label, 1 failed",
    ]


PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=12)


@given(pairs=PAIRS)
def test_what_holds_of_every_report(responses_to, pairs):
    """Supports add up to the answers; weighted recall is accuracy, and accuracy the mean of exact match."""
    references, answers = zip(*pairs, strict=True)
    responses = responses_to(*answers, cases={"reference": references})

    report = classification_report(responses)

    assert sum(map(sum, report.confusion)) == report.weighted.support == len(pairs)
    assert report.weighted.recall == pytest.approx(report.accuracy)
    assert report.accuracy == pytest.approx(exact_match(responses).mean)
    assert all(0 <= each.f1 <= 1 for each in (*report.labels, report.macro, report.weighted))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (["no"], ValueError, "the reference 'yes' is none of the labels; labels=['no']"),
        (["yes", "YES"], ValueError, "labels=['yes', 'YES']: two are the same once normalised (normalise=strip+case)"),
        ("yes", TypeError, "labels='yes'; expected labels, such as ('yes', 'no')"),
        ([1], TypeError, "labels=[1]; expected labels, such as ('yes', 'no')"),
    ],
)
def test_wrong_labels(responses_to, labels, error, message):
    """They are refused."""
    with pytest.raises(error) as caught:
        classification_report(responses_to("yes", cases={"reference": ["yes"]}), labels=labels)

    assert str(caught.value) == message


def test_nothing_to_report(responses_to):
    """No number is invented."""
    with pytest.raises(ValueError, match=r"^classification_report: no answered case has a reference$"):
        classification_report(responses_to("a", cases={"reference": [None]}))
