"""Whether an answer matches a regular expression."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_llmval.scoring.scored import empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.servers.exchange import Response


def regex_match(responses: Iterable[Response], pattern: str | re.Pattern[str], *, full: bool = False) -> Scores:
    """Whether the pattern is found in each answer, or with `full` matches the whole of it. No reference is needed.

    A pattern that matches the empty text accepts an empty answer. How long a pattern takes on a long answer is up to
    the pattern: one with nested repeats can take forever.

    Args:
        responses: The answers.
        pattern: A regular expression, as text or compiled with its flags.
        full: Whether it has to match the whole answer.

    Raises:
        ValueError: If the pattern is no regular expression; the message says why and where.
        TypeError: If it is neither text nor a compiled pattern of text.
    """
    compiled = compiled_pattern(pattern)
    found = compiled.fullmatch if full else compiled.search

    def matches(_: Case, response: Response) -> bool:
        return found(response.text) is not None

    version = f"{'full' if full else 'found'} {pattern_version(compiled)}"
    return score_responses(responses, matches, empty_scores("regex_match", kind="binary"), version)


def compiled_pattern(pattern: object, argument: str = "pattern") -> re.Pattern[str]:
    """The compiled pattern; `argument` is what messages call it."""
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        return pattern
    if not isinstance(pattern, str):
        msg = f"{argument}={pattern!r:.80}; expected a regular expression, as text or compiled from text"
        raise TypeError(msg)
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        msg = f"{argument}={pattern!r:.80} is no regular expression: {error}"
        raise ValueError(msg) from error


def pattern_version(pattern: re.Pattern[str]) -> str:
    """Pattern and flags: what changes when it matches differently."""
    return f"{pattern.pattern!r} flags={pattern.flags}"
