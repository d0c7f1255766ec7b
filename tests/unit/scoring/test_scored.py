"""`scored()` makes a metric of a function of a case and a response."""

import pytest

from pytest_llmval import Response, Unscored, scored
from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.case_sets.function_source import source_of
from pytest_llmval.scoring.score import Basis, CaseNote


def length(case, response):
    """Number of words."""
    return len(response.text.split())


words = scored("words", length, bounds=None, unit="words", higher_is_better=False)


def test_a_metric_over_a_response_set(responses_to):
    """One value a case, with all that a report and a comparison need."""
    answers = responses_to(
        "a b c", "a", cases={"reference": ["one two", None], "must_pass": [True, False], "prompt": ["Q0", "Q1"]}
    )

    scores = words(answers)

    assert (scores.name, scores.unit, scores.higher_is_better, scores.kind) == ("words", "words", False, "unbounded")
    assert (scores.ids, scores.values) == (("c0", "c1"), (3.0, 1.0))
    assert scores.must_pass == (True, False)
    assert scores.clusters is None
    assert scores.notes == (CaseNote("Q0", "one two", "a b c"), CaseNote("Q1", "", "a"))
    assert scores.version == "v1"
    assert scores.trials == 1
    assert scores.basis == Basis(
        dataset=answers.case_set.label,
        prompt="0123456789ab",
        decoding="max_tokens=64, temperature=0",
        metric="words",
        metric_version=content_hash(source_of(length))[:8],
        batching="blocks of 32",
    )
    assert scores.basis.model == (("server", "scripted"),)
    assert scores.by_trial is None


def test_trials_are_averaged(responses_to):
    """(3 + 1) / 2 = 2 and (1 + 2) / 2 = 1.5."""
    scores = words(responses_to("a b c", "a", "b", "b c", trials=2))

    assert scores.values == (2.0, 1.5)
    assert scores.trials == 2
    assert scores.by_trial == ((3.0, 1.0), (1.0, 2.0))


def test_a_binary_metric_is_averaged_over_trials(responses_to):
    """Two of four answers are right: a rate of .5, and the kind stays binary."""
    is_yes = scored("is_yes", lambda _case, response: response.text == "yes", kind="binary")

    scores = is_yes(responses_to("yes", "no", "no", "yes", trials=4))

    assert (scores.values, scores.kind) == ((0.5,), "binary")


def test_a_failed_response_is_not_scored(responses_to):
    """The function never sees it; the case is unscored as failed, which counts against a candidate."""
    seen = []
    metric = scored("m", lambda case, _response: seen.append(case.id) or 1.0)

    scores = metric(responses_to("a", Response.failed("timeout")))

    assert scores.values == (1.0, Unscored("timeout", failed=True))
    assert seen == ["c0"]
    assert scores.notes[1].answer == "(no answer: timeout)"


def test_one_failed_trial_leaves_the_case_without_a_value(responses_to):
    """A mean over fewer trials would not be comparable; that it failed outweighs that it is unscored."""
    metric = scored("m", lambda _case, response: Unscored("odd") if response.text == "odd" else 1.0)

    scores = metric(responses_to("a", "odd", Response.failed("timeout"), trials=3))

    assert scores.values == (Unscored("timeout", failed=True),)


def test_a_function_may_give_no_number(responses_to):
    """With its reason, and not counted as failed."""
    metric = scored("m", lambda _case, _response: Unscored("no grade"))

    assert metric(responses_to("a")).values == (Unscored("no grade"),)


@pytest.mark.parametrize("value", [None, "good", [1], {}])
def test_a_function_that_gives_something_else(responses_to, value):
    """Metric, case and value are named."""
    metric = scored("m", lambda _case, _response: value)

    with pytest.raises(ValueError, match="expected") as caught:
        metric(responses_to("a"))

    assert str(caught.value) == f"m: case 'c0' was scored {value!r}; expected a number, a bool or Unscored(reason)"


@pytest.mark.parametrize(("value", "expected"), [(True, 1.0), (0, 0.0), (0.5, 0.5)])
def test_numbers_and_bools(responses_to, value, expected):
    """All become floats."""
    (score,) = scored("m", lambda _case, _response: value)(responses_to("a")).values

    assert (type(score), score) == (float, expected)


def test_a_wrong_metric_is_refused_where_it_is_defined():
    """Not at the first response, minutes later."""
    with pytest.raises(ValueError, match=r"^m: kind='share'; expected 'binary', 'graded' or 'unbounded'$"):
        scored("m", length, kind="share")
    with pytest.raises(ValueError, match=r"^m: kind 'binary' needs bounds; without any the kind is 'unbounded'$"):
        scored("m", length, kind="binary", bounds=None)


def test_the_kind_by_default():
    """Graded with bounds, unbounded without."""
    assert scored("m", length)([]).kind == "graded"
    assert scored("m", length, bounds=None)([]).kind == "unbounded"


def test_clusters(responses_to):
    """A case without a cluster is one of its own."""
    scores = words(responses_to("a", "b", "c", cases={"cluster": ["x", None, "x"]}))

    assert scores.clusters == ("x", "c1", "x")


def test_a_slice_of_a_response_set(responses_to):
    """It is scored, but has no basis: it is not the case set."""
    scores = words(responses_to("a", "b c")[1:])

    assert (scores.ids, scores.values, scores.basis, scores.version) == (("c1",), (2.0,), None, "")


def test_a_generator_of_responses(responses_to):
    """Any iterable of responses with cases."""
    assert words(response for response in responses_to("a", "b c")).values == (1.0, 2.0)


def test_a_response_without_a_case():
    """`llm.generate` gives such; the fixtures that have cases are named."""
    message = "^this response belongs to no case; score the fixtures `responses` and `baseline_responses`$"

    with pytest.raises(ValueError, match=message):
        words([Response("a")])


def test_what_was_expected_in_notes(responses_to):
    """The right option of a choice, text as it is, other references as JSON."""
    cases = {
        "reference": ["text", {"name": "Zoë"}, None],
        "choices": [(), (), ("red", "blue")],
        "answer": [None, None, 1],
    }

    notes = words(responses_to("a", "b", "c", cases=cases)).notes

    assert [note.expected for note in notes] == ["text", '{"name": "Zoë"}', "blue"]


def test_a_metric_shows_its_name():
    """In tracebacks and documentation."""
    assert (words.__name__, words.__doc__) == ("words", "words of each response.")
