"""What the gates of speed share: answers without a measurement, in counts and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.verdicts.comparable import LARGEST_LOST_SHARE
from pytest_llmval.verdicts.verdict import Counts

if TYPE_CHECKING:
    from pytest_llmval.scoring.serving.measuring import Fates

_ANEW = (
    "their times say nothing about this one: a fresh --llmval-store measures anew, and answers of an endpoint are "
    "never taken over"
)


def counts_of(fates: Fates, compared: int) -> Counts:
    """The answers that were asked for in this run; ``compared`` says how many measurements entered."""
    return Counts(fates.answers - fates.replayed, compared, failed=fates.failed, unscored=fates.unmeasured)


def fate_obstacles(fates: Fates, measured: int) -> list[str]:
    """Why too few answers were measured; empty when enough were."""
    if fates.replayed == fates.answers:
        return [f"all {fates.answers} answers were replayed from an earlier run; {_ANEW}"]
    lost = f"{fates.failed} failed, {fates.unmeasured} without a measurement of {fates.answers - fates.replayed}"
    told = f"({lost}{fates.why and ': ' + fates.why})"
    if not measured:
        return [f"no answer has a measurement {told}"]
    share = counts_of(fates, measured).lost_share
    if share <= LARGEST_LOST_SHARE:
        return []
    return [f"{share:.1%} of the answers are lost, more than {LARGEST_LOST_SHARE:.0%} {told}"]


def number_text(number: str, fates: Fates) -> str:
    """How many measurements, and which answers are none: `200, 3 failed, 32 replayed`."""
    rest = {"failed": fates.failed, "without a measurement": fates.unmeasured, "replayed": fates.replayed}
    return ", ".join([number, *(f"{count} {fate}" for fate, count in rest.items() if count)])
