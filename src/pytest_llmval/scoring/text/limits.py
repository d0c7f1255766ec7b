"""Limits: where an answer is too long for an algorithm whose time or memory grows faster than the text."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Unscored

if TYPE_CHECKING:
    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.scored import ScoringFunction, Value
    from pytest_llmval.servers.exchange import Response


class OverLimit(Exception):  # noqa: N818 - says what is wrong
    """A text is too long for an algorithm; the message says how long, and what the limit is."""


def unscored_over_limit(function: ScoringFunction) -> ScoringFunction:
    """The function, with `Unscored` and the message where it raises `OverLimit`."""

    @wraps(function)
    def limited(case: Case, response: Response) -> Value:
        try:
            return function(case, response)
        except OverLimit as error:
            return Unscored(str(error))

    return limited


def check_limit(size: int, limit: int, what: str) -> None:
    """Refuse more than the limit; `what` says what is counted, for example `characters`."""
    if size > limit:
        msg = f"{size:,} {what}; the limit is {limit:,}"
        raise OverLimit(msg)
