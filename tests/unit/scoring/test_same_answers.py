"""Which cases two versions answer alike."""

from __future__ import annotations

import re
from functools import partial

import pytest

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.case_sets.function_source import source_of
from pytest_llmval.scoring.same_answers import Flip, same_answers
from pytest_llmval.scoring.score import CaseNote, Unscored
from pytest_llmval.servers.exchange import Choice, Response

FAILED = Response.failed("timed out")


def choosing(index):
    """A response to a multiple-choice case with two options."""
    return Response(text="yes" if index == 0 else "no", choice=Choice(index, (-1.0, -2.0)), finish_reason="choice")


def values(found):
    """The agreement of each case."""
    return found.scores.values


def test_equal_texts_are_the_same(responses_to):
    """1 for the same text, 0 for another; the baseline agrees with itself."""
    found = same_answers(responses_to("a", "b", "c"), responses_to("a", "x", "c"))

    assert values(found) == (1.0, 0.0, 1.0)
    assert (found.scores.name, found.scores.kind, found.scores.bounds) == ("same_answers", "binary", (0.0, 1.0))
    assert found.baseline.values == (1.0, 1.0, 1.0)


def test_a_flip_has_both_answers(responses_to):
    """With the prompt and what was expected."""
    cases = {"reference": ["one", "two"]}

    found = same_answers(responses_to("a", "b", cases=cases), responses_to("a", "x", cases=cases))

    assert found.flips == (Flip("c1", CaseNote("Q1", "two", "b"), "x"),)


def test_cases_are_found_by_their_id(responses_to):
    """Not by their place."""
    candidate, baseline = responses_to("a", "b"), list(responses_to("a", "b"))

    assert values(same_answers(candidate, baseline[::-1])) == (1.0, 1.0)


def test_responses_may_be_any_iterable(responses_to):
    """A generator is read once."""
    found = same_answers((each for each in responses_to("a", "b")), (each for each in responses_to("a", "x")))

    assert values(found) == (1.0, 0.0)
    assert found.flips[0].id == "c1"


def test_choices_are_compared_by_option(responses_to):
    """The text of the option does not matter, nor what is done to texts."""
    cases = {"choices": [("yes", "no")] * 2}

    found = same_answers(
        responses_to(choosing(0), choosing(1), cases=cases),
        responses_to(choosing(0), choosing(0), cases=cases),
        lambda _: "alike",
    )

    assert values(found) == (1.0, 0.0)
    assert (found.flips[0].note.answer, found.flips[0].baseline_answer) == ("no", "yes")


@pytest.mark.parametrize(
    ("normalise", "same"),
    [(None, 0.0), (str.lower, 0.0), (str.strip, 1.0), (lambda text: text[0], 0.0), (partial(re.sub, r"\s", ""), 1.0)],
)
def test_texts_are_normalised_before_they_are_compared(responses_to, normalise, same):
    """By any function of a text; a flip shows the texts as they were."""
    found = same_answers(responses_to(" a", "C"), responses_to("a", "C"), normalise)

    assert values(found) == (same, 1.0)
    assert [(flip.note.answer, flip.baseline_answer) for flip in found.flips] == ([] if same else [(" a", "a")])


def test_another_normalisation_is_another_metric(responses_to):
    """Scores of different runs are compared only when they were normalised alike."""
    responses = responses_to("a")

    plain, stripped = (same_answers(responses, responses, normalise).scores for normalise in (None, str.strip))

    assert plain.basis.metric_version == "1"
    assert stripped.basis.metric_version == content_hash(source_of(str.strip))[:8]


def test_a_crash_of_the_candidate_is_a_failure(responses_to):
    """It counts against the candidate; there is no second answer to show."""
    found = same_answers(responses_to(FAILED, "b"), responses_to("a", "b"))

    assert values(found) == (Unscored("timed out", failed=True), 1.0)
    assert found.flips == ()


def test_a_crash_of_the_baseline_leaves_nothing_to_compare(responses_to):
    """The case has no score, which is nobody's fault here; the baseline's own scores say that it failed."""
    found = same_answers(responses_to("a", "b"), responses_to(FAILED, "b"))

    assert values(found) == (Unscored("the baseline: timed out"), 1.0)
    assert found.baseline.values == (Unscored("timed out", failed=True), 1.0)


def test_a_case_the_baseline_was_not_asked(responses_to):
    """It has no answer to be compared with."""
    assert values(same_answers(responses_to("a", "b"), responses_to("a"))) == (
        1.0,
        Unscored("the baseline has no answer"),
    )


def test_trials_are_compared_one_by_one(responses_to):
    """Same in two of three trials of the first case, in all of the second."""
    candidate = responses_to("a", "b", "c", "x", "y", "z", trials=3)
    baseline = responses_to("a", "B", "c", "x", "y", "z", trials=3)

    found = same_answers(candidate, baseline)

    assert values(found) == (pytest.approx(2 / 3), 1.0)
    assert found.scores.by_trial == ((1.0, 0.0, 1.0), (1.0, 1.0, 1.0))
    assert [(flip.id, flip.note.answer, flip.baseline_answer) for flip in found.flips] == [("c0", "b", "B")]


def test_the_first_trial_that_differs_is_shown(responses_to):
    """Of several flips of a case."""
    found = same_answers(responses_to("a", "b", "c", trials=3), responses_to("a", "B", "C", trials=3))

    assert [(flip.note.answer, flip.baseline_answer) for flip in found.flips] == [("b", "B")]


@pytest.mark.parametrize("baseline", [["a", FAILED], [FAILED, "a"]])
def test_a_flip_in_one_trial_is_not_undone_by_a_crash_of_the_baseline_in_another(responses_to, baseline):
    """One trial could not be compared, the other was answered differently."""
    candidate = ["b", "b"]

    found = same_answers(responses_to(*candidate, trials=2), responses_to(*baseline, trials=2))

    assert values(found) == (0.0,)
    assert [flip.baseline_answer for flip in found.flips] == ["a"]


def test_trials_without_a_flip_and_one_without_a_baseline_have_no_score(responses_to):
    """A mean over fewer trials would not be comparable."""
    found = same_answers(responses_to("a", "a", trials=2), responses_to("a", FAILED, trials=2))

    assert values(found) == (Unscored("the baseline: timed out"),)


def test_a_crash_in_one_trial_is_a_failure(responses_to):
    """Whatever the other trials say."""
    found = same_answers(responses_to("a", FAILED, trials=2), responses_to("a", "a", trials=2))

    assert values(found) == (Unscored("timed out", failed=True),)


def test_a_single_answer_of_the_baseline_serves_all_trials(responses_to):
    """A greedy baseline beside three trials of the candidate."""
    found = same_answers(responses_to("a", "b", "a", trials=3), responses_to("a"))

    assert found.scores.by_trial == ((1.0, 0.0, 1.0),)


def test_one_response_object_may_stand_for_several_trials(responses_to):
    """Trials are told apart by their place, not by what they are."""
    (candidate,) = responses_to("a", "a", trials=2)
    twice = candidate.with_case(candidate.case, (candidate.trials[0],) * 2)

    found = same_answers([twice], responses_to("a", "b", trials=2))

    assert found.scores.by_trial == ((1.0, 0.0),)


def test_a_response_without_its_case_is_refused():
    """Nothing says which case it answers."""
    with pytest.raises(ValueError, match="this response belongs to no case"):
        same_answers([Response(text="a")], [])
