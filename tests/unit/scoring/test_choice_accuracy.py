"""Multiple-choice accuracy, with and without length normalisation."""

import pytest

from pytest_llmval import Response, Unscored, choice_accuracy
from pytest_llmval.servers.exchange import Choice


def chosen(*logprobs, lengths=()):
    """A response that prefers the most probable option."""
    return Response(choice=Choice(logprobs.index(max(logprobs)), logprobs, lengths or (1,) * len(logprobs)))


def test_the_share_of_right_choices(responses_to):
    """Options 1, 0 and 1 are chosen, 1, 1 and 1 are right: 2/3."""
    answers = [chosen(-2, -1), chosen(-1, -2), chosen(-3, -1)]

    scores = choice_accuracy(responses_to(*answers, cases={"choices": [("a", "b")] * 3, "answer": [1, 1, 1]}))

    assert scores.values == (1.0, 0.0, 1.0)
    assert scores.mean == pytest.approx(2 / 3)
    assert (scores.name, scores.kind) == ("choice_accuracy", "binary")


def test_logprobs_per_character(responses_to):
    """−6/2 = −3 against −8/4 = −2: the sum prefers the short option, the rate the long one (lm-eval's acc_norm)."""
    answers = responses_to(chosen(-6.0, -8.0, lengths=(2, 4)), cases={"choices": [("ab", "abcd")], "answer": [1]})

    assert choice_accuracy(answers).values == (0.0,)
    assert choice_accuracy(answers, length_normalised=True).values == (1.0,)
    assert choice_accuracy(answers, length_normalised=True).name == "choice_accuracy_norm"


def test_the_first_of_equal_options(responses_to):
    """A tie is broken by place, the same on every machine."""
    answers = responses_to(chosen(-2.0, -2.0, lengths=(3, 3)), cases={"choices": [("a", "b")], "answer": [0]})

    assert choice_accuracy(answers, length_normalised=True).values == (1.0,)


def test_a_case_without_choices(responses_to):
    """Generated text is not scored as a choice."""
    assert choice_accuracy(responses_to("a")).values == (Unscored("the case has no choices"),)


def test_a_server_that_gives_no_choice(responses_to):
    """Asked to choose, it wrote a text: the candidate failed the case. Without a right answer nothing is scored."""
    asked = {"choices": [("a", "b")], "answer": [0]}

    failed = Unscored("the server was given choices and chose none", failed=True)
    assert choice_accuracy(responses_to("a", cases=asked)).values == (failed,)
    unanswered = responses_to(chosen(-1, -2), cases={"choices": [("a", "b")]})
    assert choice_accuracy(unanswered).values == (Unscored("the case has no answer"),)


def test_a_failed_response(responses_to):
    """It counts against a candidate."""
    answers = responses_to(Response.failed("timeout"), cases={"choices": [("a", "b")], "answer": [0]})

    assert choice_accuracy(answers).values == (Unscored("timeout", failed=True),)
