"""What holds of every text metric: bad answers, bounds, several references, a missing library."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval import Response, Unscored
from pytest_llmval.errors import SettingsError
from pytest_llmval.scoring.text import rouge
from pytest_llmval.scoring.text.corpus import corpus_bleu, corpus_chrf
from pytest_llmval.scoring.text.edits import edit_distance
from pytest_llmval.scoring.text.exact import contains, exact_match
from pytest_llmval.scoring.text.json_answers import json_valid
from pytest_llmval.scoring.text.json_fields import json_fields
from pytest_llmval.scoring.text.json_schema import json_matches
from pytest_llmval.scoring.text.letters import letter_accuracy
from pytest_llmval.scoring.text.numeric import numeric_answer
from pytest_llmval.scoring.text.overlap import token_f1
from pytest_llmval.scoring.text.patterns import regex_match
from pytest_llmval.scoring.text.rouge import rouge_1, rouge_2, rouge_l, rouge_lsum
from pytest_llmval.scoring.text.translation import bleu, chrf


def words(responses):
    """Edit distance by words."""
    return edit_distance(responses, of="words")


def squad_match(responses):
    """The most of normalising."""
    return exact_match(responses, normalise=("unicode", "squad"))


def any_digit(responses):
    """A metric that needs no reference."""
    return regex_match(responses, r"\d")


def any_json(responses):
    """Another one."""
    return json_matches(responses, schema=True)


OVERLAPS = [
    exact_match,
    squad_match,
    contains,
    token_f1,
    rouge_1,
    rouge_l,
    rouge_lsum,
    bleu,
    chrf,
    edit_distance,
    words,
]
REFERENCE = {numeric_answer: "42", json_fields: {"a": 1}, letter_accuracy: "B", any_digit: None}
ALL = [*OVERLAPS, rouge_2, any_digit, numeric_answer, json_valid, any_json, json_fields, letter_accuracy]
TEXTS = st.lists(st.sampled_from(["cat", "dog", "mat", "sat."]), min_size=2, max_size=6).map(" ".join)


def worst(scores):
    """The value of an answer that has nothing right."""
    return 0.0 if scores.higher_is_better else 1.0


@pytest.mark.parametrize("metric", ALL)
def test_an_empty_answer(responses_to, metric):
    """It is as bad as can be, and not unscored."""
    scores = metric(responses_to("", "  \n", cases={"reference": [REFERENCE.get(metric, "a cat sat")] * 2}))

    assert scores.values[0] == worst(scores)
    assert not isinstance(scores.values[1], Unscored)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    "answer", ["word " * 200_000, "x" * 1_000_000, "\n" * 1_000_000, "\ud800 " * 500_000, '{"a":1,' * 140_000]
)
def test_an_answer_of_a_megabyte(score_of, metric, answer):
    """It is scored within seconds, lone surrogates and all, or said to be too long."""
    value = score_of(metric, answer, REFERENCE.get(metric, "a cat sat on the mat"))

    assert isinstance(value, float)


@pytest.mark.parametrize("metric", OVERLAPS)
def test_lone_surrogates(responses_to, metric):
    """They are characters like others."""
    scores = metric(responses_to("cat \udfff \ud800", cases={"reference": ["cat \udfff \ud800"]}))

    assert scores.values == (pytest.approx(1.0 - worst(scores)),)


@pytest.mark.parametrize("metric", OVERLAPS)
@given(text=TEXTS)
def test_the_reference_itself(responses_to, metric, text):
    """It is the best answer."""
    scores = metric(responses_to(text, cases={"reference": [text]}))

    assert scores.values == (pytest.approx(1.0 - worst(scores)),)


@pytest.mark.parametrize("metric", [each for each in OVERLAPS if each is not bleu])
@given(answer=TEXTS, references=st.lists(TEXTS, min_size=1, max_size=3))
def test_several_references(responses_to, metric, answer, references):
    """The best of them counts; BLEU takes them together and is not among these."""
    each = metric(responses_to(*[answer] * len(references), cases={"reference": references}))
    together = metric(responses_to(answer, cases={"reference": [references]}))

    best = max if together.higher_is_better else min
    assert together.values == (best(each.values),)
    assert 0 <= together.values[0] <= 1


@pytest.mark.parametrize("metric", ALL)
def test_a_failed_answer(responses_to, metric):
    """It counts against a candidate."""
    scores = metric(responses_to(Response.failed("timeout"), cases={"reference": [REFERENCE.get(metric, "a")]}))

    assert scores.values == (Unscored("timeout", failed=True),)


@pytest.mark.parametrize("metric", ALL)
def test_any_iterable(responses_to, metric):
    """A generator does as well as a response set, which alone says what it was measured on."""
    responses = responses_to("a 1", "b 2", cases={"reference": [REFERENCE.get(metric, "a 1")] * 2})

    assert metric(each for each in responses).values == metric(responses).values
    assert metric(each for each in responses).basis is None
    assert metric(responses).basis is not None


@pytest.mark.parametrize("metric", ALL)
def test_trials(responses_to, metric):
    """The value of a case is the mean over its trials."""
    good = json.dumps(reference) if isinstance(reference := REFERENCE.get(metric, "42 cats"), dict) else reference
    good = "42" if metric in (json_valid, any_json, any_digit) else good
    scores = metric(responses_to(good, "", cases={"reference": [reference]}, trials=2))

    assert scores.values == (pytest.approx(0.5),)


@pytest.mark.parametrize(
    ("metric", "module", "message"),
    [
        (rouge_1, "rouge_score.rouge_scorer", "rouge_1 needs rouge-score"),
        (rouge_lsum, "rouge_score.rouge_scorer", "rouge_lsum needs rouge-score"),
        (bleu, "sacrebleu.metrics.bleu", "bleu needs sacrebleu"),
        (chrf, "sacrebleu.metrics.chrf", "chrf needs sacrebleu"),
        (corpus_bleu, "sacrebleu.metrics.bleu", "corpus_bleu needs sacrebleu"),
        (corpus_chrf, "sacrebleu.metrics.chrf", "corpus_chrf needs sacrebleu"),
        (edit_distance, "rapidfuzz.distance", "edit_distance needs rapidfuzz"),
        (any_json, "jsonschema.validators", "json_matches needs jsonschema"),
    ],
)
def test_a_missing_library(monkeypatch, metric, module, message):
    """The command that helps is named."""
    rouge._scorer.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(SettingsError) as caught:
        metric([])

    assert str(caught.value) == f"{message}: pip install pytest-llmval[text]"
