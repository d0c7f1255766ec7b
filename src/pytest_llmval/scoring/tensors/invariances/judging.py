"""What a change may cost that keeps every shape: nothing, or the noise of a model that does not repeat itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llmval.scoring.tensors.invariances.report import Bar, Invariance, InvarianceReport
from pytest_llmval.scoring.tensors.invariances.strips import Strip, strips_of, variant_of
from pytest_llmval.scoring.tensors.wording import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.scoring.tensors.arrays import Values
    from pytest_llmval.scoring.tensors.invariances.batch import Batch
    from pytest_llmval.scoring.tensors.invariances.prompts import Prompts
    from pytest_llmval.scoring.tensors.invariances.subject import Subject

_NOISE_FACTOR = 3.0


def report_of(
    invariance: Invariance,
    prompts: Prompts,
    bar: Bar,
    changes: Iterable[tuple[str, Iterable[Strip]]],
    notes: tuple[str, ...] = (),
) -> InvarianceReport:
    """Every change judged by one bar."""
    variants = tuple(variant_of(name, strips, bar.limit) for name, strips in changes)
    return InvarianceReport(invariance, variants, bar, prompts, notes)


def rerun_noise(subject: Subject, batch: Batch, before: list[Values]) -> float:
    """Largest relative L2 error of a position between two runs of one batch; 0 when every bit repeats.

    Logits that are not finite are no noise: they fail in the comparison itself.
    """
    strips = strips_of(subject.logits(batch), before)
    again = variant_of("rerun", strips, None)
    if math.isfinite(again.deviation):
        return _at_least_one_rounding(again.deviation) if again.differing else 0.0
    return 0.0


def noise_bar(noise: float, *, allow_noise: bool) -> Bar:
    """Bit by bit for a model that repeats itself, else three times the noise of reruns."""
    if not noise:
        return Bar()
    undecided = (
        f"the model does not repeat itself on one and the same batch (rel-L2 {number(noise)}), and a fault of that "
        f"size could hide in it; make it deterministic (see assert_deterministic), or accept the weaker check by "
        f"allow_noise=True"
    )
    why = f"{_NOISE_FACTOR:g} times what two runs of one batch differ by, as the model does not repeat itself"
    return Bar(_NOISE_FACTOR * noise, why, "" if allow_noise else undecided)


def _at_least_one_rounding(deviation: float) -> float:
    """Bits may differ where centred numbers do not (a sign of zero, a constant): still no repetition."""
    return max(deviation, math.ulp(1.0))
