"""Must-pass cases: those that may not break whatever the averages say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.verdicts.wording import naming

if TYPE_CHECKING:
    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.margin import Margin
    from pytest_llmval.verdicts.pairing import Pair, Pairing

_ROUNDING = 1e-9  # 0.9 - 0.85 is a little more than 0.05


def broken_cases(pairing: Pairing, candidate: Scores, margin: Margin, *, binary: bool) -> list[str]:
    """Ids of the must-pass cases that the candidate broke.

    A binary case is broken when the baseline passed and the candidate does not; any other when it got worse by more
    than the margin.
    """

    def allowed(pair: Pair) -> float:
        return 0.0 if binary else max(0.0, margin.allowance(pair.baseline)) * (1 + _ROUNDING)

    return [pair.id for pair in pairing.pairs if pair.must_pass and loss_of(pair, candidate) > allowed(pair)]


def loss_of(pair: Pair, candidate: Scores) -> float:
    """How much worse the candidate is on one case; negative when better, 0 when that cannot be said."""
    if pair.candidate is None:
        return 0.0
    return (pair.baseline - pair.candidate) * (1 if candidate.higher_is_better else -1)


def broken_reason(ids: list[str]) -> str:
    """The sentence for broken cases, which decide whatever the average is."""
    return f"must-pass {'case' if len(ids) == 1 else 'cases'} broke: {naming(ids)}"


def unknown_reason(ids: tuple[str, ...]) -> str:
    """The sentence for cases without a score, which cannot pass unseen."""
    return f"not shown: must-pass {'case has' if len(ids) == 1 else 'cases have'} no score: {naming(ids)}"
