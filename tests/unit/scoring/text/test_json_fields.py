"""Fields of JSON answers."""

import json

import pytest

from pytest_llmval import Response, Unscored
from pytest_llmval.scoring.text.json_fields import json_field_scores, json_fields

ORDER = {"city": "Oslo", "items": [1, 2], "paid": True}


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ('{"city": "Oslo", "items": [1, 2], "paid": true}', 1.0),
        ('{"paid": true, "items": [1.0, 2], "city": "Oslo", "more": 5}', 1.0),
        ('{"city": "Oslo", "items": [2, 1], "paid": true}', 2 / 3),
        ('{"city": "Oslo", "paid": 1}', 1 / 3),
        ('{"city": "oslo"}', 0.0),
        ("[]", 0.0),
        ("Oslo", 0.0),
        ("", 0.0),
        ('{"city": ' + "[" * 900 + "]" * 900 + "}", 0.0),
    ],
)
@pytest.mark.parametrize("reference", [ORDER, json.dumps(ORDER)])
def test_share(score_of, answer, score, reference):
    """The share of the reference's fields, whether it is a mapping or text."""
    assert score_of(json_fields, answer, reference) == pytest.approx(score)


def test_chosen_fields(score_of):
    """Only these count; those that the reference lacks do not."""
    answer = '{"city": "Oslo", "paid": false}'

    assert score_of(json_fields, answer, ORDER, fields=("city", "paid")) == 1 / 2
    assert score_of(json_fields, answer, ORDER, fields=["city", "street"]) == 1.0
    assert score_of(json_fields, answer, ORDER, fields=("street",)) == Unscored(
        "the reference has none of the fields 'street'"
    )


def test_several_references(score_of):
    """The best counts."""
    assert score_of(json_fields, '{"a": 1}', [{"a": 2}, '{"a": 1}']) == 1.0


def test_fenced(score_of):
    """As of json_valid."""
    assert score_of(json_fields, '```json\n{"a": 1}\n```', {"a": 1}, fenced=True) == 1.0
    assert score_of(json_fields, '```json\n{"a": 1}\n```', {"a": 1}) == 0.0


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (None, "the case has no reference"),
        ("Oslo", "the reference is no JSON object"),
        ({}, "the reference is no JSON object"),
        ("[1]", "the reference is no JSON object"),
    ],
)
def test_without_fields(score_of, responses_to, reference, reason):
    """The case stays unscored, as a whole and by field."""
    assert score_of(json_fields, "{}", reference) == Unscored(reason)

    scores = json_field_scores(responses_to("{}", cases={"reference": [reference]}), ["a"])
    assert scores["a"].values == (Unscored(reason),)


def test_field_by_field(responses_to):
    """One binary score a field, in the order in which the references name them."""
    answers = ('{"city": "Oslo", "paid": false}', "no JSON", Response.failed("timeout"))
    references = [{"city": "Oslo", "paid": True}, {"city": "Rome", "street": "Via"}, {"city": "Bonn"}]

    scores = json_field_scores(responses_to(*answers, cases={"reference": references}))

    failed = Unscored("timeout", failed=True)
    assert list(scores) == ["city", "paid", "street"]
    assert scores["city"].values == (1.0, 0.0, failed)
    assert scores["paid"].values == (0.0, Unscored("the reference has no field 'paid'"), failed)
    assert (scores["city"].name, scores["city"].kind) == ("json_field city", "binary")


def test_the_share_is_the_mean_of_the_fields(responses_to):
    """Both count the same things."""
    responses = responses_to('{"a": 1, "b": 2}', cases={"reference": [{"a": 1, "b": 3, "c": 4}]})

    fields = json_field_scores(responses)

    assert json_fields(responses).mean == sum(each.mean for each in fields.values()) / len(fields)


@pytest.mark.parametrize("metric", [json_fields, json_field_scores])
@pytest.mark.parametrize("fields", ["city", (), (1,)])
def test_what_is_no_list_of_names(responses_to, metric, fields):
    """A single text would be read letter by letter."""
    with pytest.raises(TypeError) as caught:
        metric(responses_to(), fields=fields)

    assert str(caught.value) == f"fields={fields!r}; expected names of fields, such as ('city', 'street')"


def test_versions(version_of):
    """The fields and how answers are read are part of it."""
    assert version_of(json_fields) == "fields=all plain"
    assert version_of(json_fields, fields=["a", "b"], fenced=True) == "fields='a', 'b' fenced or plain"
