"""The words of a verdict: numbers, names and headlines, ASCII and short enough for one line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.statistics.intervals import Interval
    from pytest_llmval.verdicts.estimate import Estimate

LONGEST_HEADLINE = 240

_NAMED_CASES = 3
_LARGE = 1e7
_SMALL = 1e-3
_TENTH = 0.1


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers of a metric are written: shares change by percentage points, all else by its own unit."""

    unit: str
    in_points: bool

    @classmethod
    def of(cls, scores: Scores) -> Scale:
        """The scale of a metric: percentage points for bounds of 0 and 1."""
        return cls(shorten(scores.unit, 30), scores.bounds == (0.0, 1.0))

    def value(self, value: float) -> str:
        """A value as it was measured; three decimals, and more for a small one that is no share."""
        return _plain(value, _decimals(value, _SMALL if self.in_points else _TENTH))

    def with_unit(self, text: str) -> str:
        """The text followed by the unit."""
        return f"{text} {self.unit}" if self.unit and not self.in_points else text

    def change(self, change: float) -> str:
        """A difference with its sign, without unit."""
        return _signed(100 * change, 1) if self.in_points else _signed(change, _decimals(change))

    def change_with_unit(self, change: float) -> str:
        """A difference with its sign and unit."""
        return f"{self.change(change)} pp" if self.in_points else self.with_unit(self.change(change))

    def size_with_unit(self, size: float) -> str:
        """A margin: no sign, and no more digits than it was given with."""
        return f"{100 * size:.6g} pp" if self.in_points else self.with_unit(f"{size:.6g}")

    def range_of_change(self, interval: Interval) -> str:
        """An interval of differences, without unit."""
        return f"[{self.change(interval.low)}, {self.change(interval.high)}]"

    def range_of_value(self, interval: Interval) -> str:
        """An interval of values, without unit."""
        return f"[{self.value(interval.low)}, {self.value(interval.high)}]"


def change_headline(
    candidate: Scores, baseline: Scores, *, means: tuple[float, float], estimate: Estimate, n: int, alpha: float
) -> str:
    """One line for a comparison; ``means`` are the baseline's and the candidate's, in the order of output.

    Values are shown as measured; the difference is turned so that positive is better.
    """
    scale, interval = Scale.of(candidate), estimate.interval(1 - 2 * alpha)
    before, after = (scale.value(each) for each in means)
    change = f"{scale.change(estimate.value)} pp" if scale.in_points else scale.change(estimate.value)
    direction = "" if candidate.higher_is_better else ", lower is better"
    numbers = f"({change}, {confidence_text(alpha)} CI {scale.range_of_change(interval)}, n={n}{direction})"
    line = f"{shorten(candidate.name, 80)} {before} -> {scale.with_unit(after)} {numbers}{against(baseline)}"
    return shorten(line, LONGEST_HEADLINE)


def bar_headline(scores: Scores, mean: float, interval: Interval, *, n: int, bar: float, alpha: float) -> str:
    """One line for a threshold; all numbers as measured."""
    return bar_line(scores.name, Scale.of(scores), mean, interval, n=str(n), bar=bar, alpha=alpha)


def bar_line(
    name: str, scale: Scale, value: float, interval: Interval | None, *, n: str, bar: float, alpha: float
) -> str:
    """One line for a number and its bar; ``n`` says of how many, and None stands for too few to give an interval."""
    ends = f"{confidence_text(alpha)} CI {scale.range_of_value(interval)}, " if interval else ""
    line = f"{shorten(name, 80)} {scale.with_unit(scale.value(value))} ({ends}n={n}), bar {scale.value(bar)}"
    return shorten(line, LONGEST_HEADLINE)


def invalid_headline(scores: Scores, baseline: Scores | None = None) -> str:
    """One line for a gate without numbers."""
    return f"{shorten(scores.name, 80)} cannot be decided{against(baseline)}"


def against(baseline: Scores | None) -> str:
    """The version compared with, at the end of a headline."""
    return f" vs {shorten(baseline.version, 40)}" if baseline is not None and baseline.version else ""


def confidence_text(alpha: float) -> str:
    """Two-sided confidence of an interval whose ends have the one-sided level ``alpha``.

    >>> confidence_text(0.05)
    '90%'
    """
    return f"{100 * (1 - 2 * alpha):.4g}%"


def naming(ids: Sequence[str]) -> str:
    """The first ids, quoted, and how many more there are.

    >>> naming(["a", "b", "c", "d"])
    "'a', 'b', 'c' and 1 more"
    """
    named = ", ".join(repr(shorten(each, 60)) for each in ids[:_NAMED_CASES])
    return named if len(ids) <= _NAMED_CASES else f"{named} and {len(ids) - _NAMED_CASES} more"


def counted(count: int, noun: str) -> str:
    """The count with its noun.

    >>> counted(1, "case"), counted(2, "case")
    ('1 case', '2 cases')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shorten(text: str, longest: int) -> str:
    """The text on one line, cut to ``longest`` characters.

    >>> shorten("a long name", 8)
    'a lon...'
    """
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def _decimals(value: float, small: float = _SMALL) -> int:
    """Three, and more for a value below ``small``: three digits that say something."""
    size = abs(value)
    return 3 if size == 0 or size >= small else min(12, 2 - math.floor(math.log10(size)))


def _plain(value: float, decimals: int) -> str:
    if abs(value) >= _LARGE:
        return f"{value:.3e}"
    return f"{value:.{decimals}f}" if round(value, decimals) else f"{0:.{decimals}f}"


def _signed(value: float, decimals: int) -> str:
    text = _plain(value, decimals)
    return f"+{text}" if round(value, decimals) > 0 else text
