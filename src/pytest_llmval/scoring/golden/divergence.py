"""The first token at which an answer leaves its golden, as probable as each side saw it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmval.scoring.golden.answer import Answer, Token


@dataclass(frozen=True, slots=True)
class View:
    """How probable one side found the golden's token and the answer's; None where it is not known."""

    of_golden: float | None
    of_actual: float | None
    least_gap: float = 0.0
    """What the two logprobs differ by at least when one is not known: it is less than all alternatives that are."""

    @property
    def gap(self) -> float | None:
        """Difference of the two logprobs, in nats; None unless both are known."""
        if self.of_golden is None or self.of_actual is None:
            return None
        return abs(self.of_golden - self.of_actual)


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first position at which tokens differ."""

    position: int
    """From 0."""
    golden: Token | None
    """None when the golden ended before."""
    actual: Token | None
    """None when the answer ended before."""
    golden_view: View
    """By the version that wrote the golden."""
    actual_view: View
    """By the version that answers now."""

    @property
    def views(self) -> tuple[View, View]:
        """The golden's and the answer's."""
        return self.golden_view, self.actual_view

    def is_tie(self, nats: float) -> bool:
        """Whether both tokens were equally probable within so much: in some view, and contradicted by none."""
        if self.golden is None or self.actual is None:
            return False
        gaps = [view.gap for view in self.views]
        known = [gap for gap in gaps if gap is not None]
        unknown = [view.least_gap for view, gap in zip(self.views, gaps, strict=True) if gap is None]
        return bool(known) and all(gap <= nats + _ROUNDING for gap in (*known, *unknown))

    @property
    def is_unknown(self) -> bool:
        """Whether no side knows how probable both tokens were."""
        return all(view.gap is None for view in self.views)


_ROUNDING = 1e-9  # of differences of numbers with 4 decimals


def first_divergence(golden: Answer, actual: Answer) -> Divergence | None:
    """The first token that differs; None when none does, or the tokens of one side are not known.

    Tokens are told apart by their ids, and by their texts where a side does not know the ids.
    """
    if golden.tokens is None or actual.tokens is None:
        return None
    by_id = golden.has_token_ids and actual.has_token_ids
    for position, (ours, theirs) in enumerate(zip_longest(actual.tokens, golden.tokens)):
        if _name(ours, by_id=by_id) != _name(theirs, by_id=by_id):
            views = _view(theirs, theirs, ours), _view(ours, theirs, ours)
            return Divergence(position, theirs, ours, *views)
    return None


def _name(token: Token | None, *, by_id: bool) -> int | str | None:
    if token is None:
        return None
    return token.id if by_id else token.text


def _view(seen: Token | None, golden: Token | None, actual: Token | None) -> View:
    """How probable both tokens were where one side generated `seen`."""
    if seen is None or seen.logprob is None:
        return View(None, None)
    lowest = min((logprob for _, logprob in seen.top), default=seen.logprob)
    return View(_seen(seen, golden), _seen(seen, actual), max(0.0, seen.logprob - lowest))


def _seen(seen: Token, token: Token | None) -> float | None:
    """The logprob of a token where `seen` was generated."""
    if token is seen:
        return seen.logprob
    return None if token is None or token.id is None else dict(seen.top).get(token.id)
