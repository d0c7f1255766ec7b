"""Where a greedy answer leaves the reference's, and whether it may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.serving.contract.report import Breach, Note

if TYPE_CHECKING:
    from pytest_llmval.scoring.serving.contract.report import Outcome
    from pytest_llmval.servers.exchange import Response

TOP = 5
"""Most probable tokens of each position that the reference has to tell."""


@dataclass(frozen=True, slots=True)
class Fork:
    """The first token in which two answers differ."""

    at: int
    """Its place in the reference's answer, from 0."""
    token: str
    """The reference's; empty where the reference ends."""
    gap: float | None
    """By how much the reference finds its own token more probable; None when the other is not among its `TOP`."""

    def __str__(self) -> str:
        wanted = f"the reference has {self.token!r}" if self.token else "the reference ends"
        gap = f"not among its {TOP} most probable" if self.gap is None else f"a gap of {self.gap:.2g} in logprob"
        return f"it differs from token {self.at} on, where {wanted}: {gap}"


def judged(asked: str, response: Response, expected: Response, tokenizer: Any, tie: float) -> Outcome:
    """Whether a greedy answer is the reference's.

    Args:
        asked: What was asked, in words.
        response: The answer.
        expected: The reference's, with the logprobs of the `TOP` tokens at each position.
        tokenizer: The reference's.
        tie: Largest gap of logprobs of two tokens of which either may come.
    """
    fork = fork_of(response.text, expected, tokenizer)
    if fork is None:
        return _judged_end(asked, response, expected)
    came = f"{response.text!r}; {fork}"
    if fork.gap is not None and fork.gap <= tie:
        return Note(f"a tie, {asked}: {came}")
    return Breach(asked, came, f"{expected.text!r}")


def _judged_end(asked: str, response: Response, expected: Response) -> Outcome:
    if response.finish_reason == expected.finish_reason:
        return None
    return Breach(asked, f"finish reason {response.finish_reason!r}", f"{expected.finish_reason!r}")


def fork_of(text: str, expected: Response, tokenizer: Any) -> Fork | None:
    """Where a text leaves the reference's answer; None when it does not."""
    if text == expected.text:
        return None
    ids = expected.token_ids
    at = next(count for count in range(len(ids), -1, -1) if text.startswith(_text(tokenizer, ids[:count])))
    if at == len(ids):
        return Fork(at, "", None)
    entry = (expected.logprobs or ())[at]
    gaps = [
        entry.logprob - logprob
        for number, logprob in entry.top
        if number != entry.token_id and _goes_on(text, tokenizer, ids[:at], number)
    ]
    return Fork(at, entry.token, min(gaps, default=None))


def _goes_on(text: str, tokenizer: Any, before: tuple[int, ...], number: int) -> bool:
    """Whether a text may have this token next; one that is no text ends it."""
    start, longer = _text(tokenizer, before), _text(tokenizer, (*before, number))
    return text == start if longer == start else text.startswith(longer)


def _text(tokenizer: Any, ids: tuple[int, ...]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))
