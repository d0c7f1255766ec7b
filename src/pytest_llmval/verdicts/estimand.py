"""Estimand: what a gate speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.wording import naming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.score import Scores

Estimand = Literal["population", "suite"]
"""Cases like these, or exactly these, where nothing but the trials varies."""

FEWEST_TRIALS = 2


def check_estimand(estimand: str) -> None:
    """Refuse what is neither."""
    if estimand not in get_args(Estimand):
        msg = f"estimand={estimand!r}; expected 'population' (cases like these) or 'suite' (exactly these)"
        raise ValueError(msg)


def missing_trials(estimand: Estimand, *sides: Scores) -> list[str]:
    """The sentence for single trials, which show no noise to judge exactly these cases by."""
    if estimand == "population":
        return []
    scored = {case_id for scores in sides for case_id in _scored(scores)}
    alone = list(dict.fromkeys(case_id for scores in sides for case_id in _asked_once(scores)))
    if not alone:
        return []
    who = "each was" if len(alone) == len(scored) else f"{naming(alone)} {'was' if len(alone) == 1 else 'were'}"
    doubt = f"estimand='suite' judges by the noise between trials of a case, and {who} asked once"
    return [f"{doubt}; expected cases(..., trials={FEWEST_TRIALS}) or more"]


def _asked_once(scores: Scores) -> Iterator[str]:
    """The scored cases without the values of at least two trials."""
    trials = {} if scores.by_trial is None else dict(zip(scores.ids, scores.by_trial, strict=True))
    return (case_id for case_id in _scored(scores) if len(trials.get(case_id, ())) < FEWEST_TRIALS)


def _scored(scores: Scores) -> Iterator[str]:
    rows = zip(scores.ids, scores.values, strict=True)
    return (case_id for case_id, value in rows if not isinstance(value, Unscored))


def more_of(estimand: Estimand) -> tuple[str, str]:
    """What more of would settle a gate, singular and plural."""
    return ("trial of each case", "trials of each case") if estimand == "suite" else ("case", "cases")
