"""Where a greedy answer leaves the reference's, and whether it may."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.serving.contract.differing import judged
from pytest_llmval.scoring.serving.contract.report import Breach, Note
from pytest_llmval.servers.exchange import Response, TokenLogprob

WORDS = {0: "", 1: "At", 2: " nine", 3: " ten", 4: " or later", 5: "."}
"""Token 0 ends an answer and is no text."""


class Words:
    """A tokenizer of six tokens."""

    def decode(self, ids, **_):
        """Their texts together."""
        return "".join(WORDS[number] for number in ids)


def entry(number, *others):
    """A token of the reference with logprob -1, and others with theirs."""
    return TokenLogprob(number, WORDS[number], -1.0, ((number, -1.0), *others))


EXPECTED = Response(
    "At nine.", (1, 2, 5, 0), (entry(1), entry(2, (3, -1.0005), (4, -3.0)), entry(5, (0, -1.0)), entry(0))
)


def outcome(text, finish_reason="stop"):
    """What is said of a text."""
    return judged("prompt 'When?'", Response(text, finish_reason=finish_reason), EXPECTED, Words(), 1e-3)


def test_the_same_text_is_as_expected():
    """With the same end."""
    assert outcome("At nine.") is None


def test_the_same_text_with_another_end():
    """The finish reason counts too."""
    assert outcome("At nine.", "length") == Breach("prompt 'When?'", "finish reason 'length'", "'stop'")


def test_a_tie_is_noted():
    """' ten' is 0.0005 less probable than ' nine': either may come, and everything after it differs."""
    found = outcome("At ten.")

    assert found == Note(
        "a tie, prompt 'When?': 'At ten.'; it differs from token 1 on, where the reference has ' nine': a gap of "
        "0.0005 in logprob"
    )


def test_an_answer_that_ends_at_a_tie_is_noted():
    """The end is a token too, here as probable as the full stop."""
    found = outcome("At nine")

    assert isinstance(found, Note)
    assert "it differs from token 2 on, where the reference has '.'" in found.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("At or later.", "it differs from token 1 on, where the reference has ' nine': a gap of 2 in logprob"),
        ("At noon.", "it differs from token 1 on, where the reference has ' nine': not among its 5 most probable"),
        ("At nine. Or not.", "it differs from token 4 on, where the reference ends: not among its 5 most probable"),
        ("", "it differs from token 0 on, where the reference has 'At': not among its 5 most probable"),
    ],
)
def test_any_other_difference_is_a_breach(text, words):
    """It is told with the first token that differs."""
    found = outcome(text)

    assert found == Breach("prompt 'When?'", f"{text!r}; {words}", "'At nine.'")
