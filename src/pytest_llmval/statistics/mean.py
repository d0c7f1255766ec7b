"""A mean and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.statistics.intervals import t_interval

if TYPE_CHECKING:
    from pytest_llmval.statistics.intervals import Interval


@dataclass(frozen=True, slots=True)
class MeanWithError:
    """A mean with its uncertainty."""

    value: float
    standard_error: float
    degrees: float
    """Degrees of freedom of the standard error: independent units − 1 when all count the same, else fewer."""

    def interval(self, confidence: float = 0.90) -> Interval:
        """Student's interval; a point when the standard error is 0."""
        return t_interval(self.value, self.standard_error, self.degrees, confidence)
