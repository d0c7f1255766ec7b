"""Estimand: what a gate speaks of."""

from __future__ import annotations

from typing import Literal, get_args

Estimand = Literal["population", "suite"]
"""Cases like these, or exactly these, where nothing but the trials varies."""

FEWEST_TRIALS = 2


def check_estimand(estimand: str) -> None:
    """Refuse what is neither."""
    if estimand not in get_args(Estimand):
        msg = f"estimand={estimand!r}; expected 'population' (cases like these) or 'suite' (exactly these)"
        raise ValueError(msg)


def missing_trials(estimand: Estimand, trials: int) -> list[str]:
    """The sentence for single trials, which show no noise to judge exactly these cases by."""
    if estimand == "population" or trials >= FEWEST_TRIALS:
        return []
    doubt = "estimand='suite' judges by the noise between trials of a case, and each was asked once"
    return [f"{doubt}; expected cases(..., trials={FEWEST_TRIALS}) or more"]


def more_of(estimand: Estimand) -> tuple[str, str]:
    """What more of would settle a gate, singular and plural."""
    return ("trial of each case", "trials of each case") if estimand == "suite" else ("case", "cases")
