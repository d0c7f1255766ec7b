"""Where two versions answer a case differently."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.same_answers import same_answers
from pytest_llmval.scoring.score import Unscored
from pytest_llmval.servers.exchange import Choice, Response


def test_texts_are_compared_case_by_case(responses_to):
    """The second differs; the flip has both answers."""
    found = same_answers(responses_to("a", "b"), responses_to("a", "c"))

    assert found.scores.values == (1.0, 0.0)
    (flip,) = found.flips
    assert (flip.id, flip.note.answer, flip.baseline_answer) == ("c1", "b", "c")


def test_a_text_may_be_normalised(responses_to):
    """What is done to it is part of the metric's version."""
    plain, stripped = (same_answers(responses_to("a "), responses_to("a"), each) for each in (None, str.strip))

    assert (plain.scores.values, stripped.scores.values) == ((0.0,), (1.0,))
    assert plain.scores.basis.metric_version != stripped.scores.basis.metric_version


def test_of_a_multiple_choice_case_the_option_counts(responses_to):
    """Its text is the same either way."""
    first, second = (Response(text="x", choice=Choice(index, (0.0, 0.0))) for index in (0, 1))

    assert same_answers(responses_to(first), responses_to(second)).scores.values == (0.0,)


def test_trials_are_compared_one_by_one(responses_to):
    """Two of four agree at their place: .5; the first that differs is shown."""
    found = same_answers(responses_to("a", "b", "c", "d", trials=4), responses_to("a", "x", "c", "y", trials=4))

    assert found.scores.values == (0.5,)
    assert [flip.baseline_answer for flip in found.flips] == ["x"]


def test_a_failed_candidate_counts_a_failed_baseline_does_not(responses_to):
    """No answer is no same answer; nothing to compare with says nothing."""
    failed = Response(error="timed out")

    found = same_answers(responses_to(failed, "b"), responses_to("a", failed))

    assert found.scores.values == (
        Unscored("timed out", failed=True),
        Unscored("the baseline: timed out"),
    )
    assert found.flips == ()


def test_a_case_that_the_baseline_lacks_has_no_score(responses_to):
    """It was recorded before the case was there."""
    assert same_answers(responses_to("a", "b"), responses_to("a")).scores.values[1] == Unscored(
        "the baseline has no answer"
    )


def test_responses_without_a_case_are_refused():
    """As everywhere in scoring."""
    with pytest.raises(ValueError, match="this response belongs to no case"):
        same_answers([Response("a")], [Response("a")])
