"""Critical values of the normal and of Student's distribution."""

from __future__ import annotations

from scipy import special


def two_sided_z(confidence: float) -> float:
    """Normal quantile z with P(|Z| ≤ z) = ``confidence``.

    Raises:
        ValueError: If the confidence is not inside (0, 1).

    >>> round(two_sided_z(0.90), 3)
    1.645
    """
    check_confidence(confidence)
    return float(special.ndtri((1 + confidence) / 2))


def two_sided_t(confidence: float, degrees: float) -> float:
    """Student quantile t with P(|T| ≤ t) = ``confidence``; fractional degrees serve planning.

    Raises:
        ValueError: If the confidence is not inside (0, 1) or the degrees are not positive.

    >>> round(two_sided_t(0.95, 9), 3)
    2.262
    """
    check_confidence(confidence)
    if not degrees > 0:
        msg = f"degrees={degrees!r}; expected more than 0"
        raise ValueError(msg)
    return float(special.stdtrit(degrees, (1 + confidence) / 2))


def check_confidence(confidence: float) -> None:
    """Refuse what is no two-sided coverage.

    Raises:
        ValueError: If it is not inside (0, 1).
    """
    if not 0 < confidence < 1:
        msg = f"confidence={confidence!r}; expected a number between 0 and 1, for example 0.90"
        raise ValueError(msg)
