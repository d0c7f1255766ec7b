"""Judging a stage: which traits of its error no legitimate implementation shows, and what they look like."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmval.scoring.tensors.layers.finding import Split, StageFinding, StageVerdict
from pytest_llmval.scoring.tensors.layers.signature import grows_with_position, signature_of
from pytest_llmval.scoring.tensors.magnitudes import ratio
from pytest_llmval.scoring.tensors.wording import counted, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_llmval.scoring.tensors.layers.signature import Peak, Signature
    from pytest_llmval.scoring.tensors.layers.sums import ErrorSums, SplitSums

_NOISE = 12.0  # six standard deviations of the logarithm of a quotient of two sums of n squares, 2 / √n each
_GROWTH = 2.0
_MOSTLY = 0.5
_NO_CONTROL = 0.5  # formats of 4 bits err by 0.15, other weights by 1.4


@dataclass(frozen=True, slots=True)
class LayerLimits:
    """What the error of a legitimate implementation keeps, beside that of the control.

    Chosen on random models of five shapes and four architectures, seeds 100 to 103, in bfloat16 with another attention
    kernel than the control's: without a fault at most 1.01 in ratio, 0.04 in gain share and 2.8 in a peak.
    `make bench` prints what they find in models of other seeds and another shape.
    """

    ratio: float = 1.3
    """Error in units of the control's."""
    gain_z: float = 8.0
    """Standard deviations of a common factor."""
    gain_share: float = 0.1
    """What a common factor explains, in units of the control's error: kernels round with a slight bias of their own."""
    peak: float = 5.0
    """How far a channel, prompt, position or token stands out; more where it has few elements."""

    def peak_for(self, peak: Peak) -> float:
        """The limit for a slice of this size."""
        return max(self.peak, math.exp(_NOISE / math.sqrt(peak.size)) if peak.size else math.inf)


def judged(name: str, sums: ErrorSums, limits: LayerLimits, heads: int | None = None) -> StageFinding:
    """A stage that was compared.

    Args:
        name: Of the stage.
        sums: Its errors.
        limits: What passes.
        heads: Channels of an attention head, where the channels are heads side by side.
    """
    problem = _obstacle(sums)
    if problem:
        return StageFinding(name, StageVerdict.NOT_COMPARED, problem)
    signature = signature_of(sums)
    traits = _traits(sums, signature, limits, heads)
    size = math.sqrt(sums.update)
    return StageFinding(
        name=name,
        verdict=StageVerdict.CULPRIT if traits else StageVerdict.OK,
        problem="; ".join(traits),
        local=ratio(sums.error, size),
        control=ratio(sums.control, size),
        signature=signature,
    )


def with_parts(stage: StageFinding, parts: Iterable[StageFinding]) -> StageFinding:
    """A stage with what was found in it: a fault of a part is one of the stage, however small in its sum."""
    looked_at = tuple(each for each in parts if each.verdict is not StageVerdict.OK)
    wrong = any(each.verdict is StageVerdict.CULPRIT for each in looked_at)
    return replace(stage, verdict=StageVerdict.CULPRIT if wrong else stage.verdict, parts=looked_at)


def is_amplifier(sums: SplitSums, limits: LayerLimits) -> bool:
    """Whether a stage at least doubles an error beyond the control's that comes in."""
    beyond = math.sqrt(sums.inherited) > limits.ratio * math.sqrt(sums.control_free)
    return beyond and sums.amplification >= _GROWTH


def split_of(sums: SplitSums) -> Split:
    """The split of a stage's error, relative to its output."""
    size = math.sqrt(sums.outgoing_size)
    free, local, inherited, control = (
        ratio(math.sqrt(each), size) for each in (sums.free, sums.local, sums.inherited, sums.control_free)
    )
    return Split(free, local, inherited, sums.alignment, sums.amplification, control)


def _obstacle(sums: ErrorSums) -> str:
    """Why nothing can be said of a stage; empty when all is well."""
    if sums.unknown:
        return f"the reference has {counted(sums.unknown, 'NaN element')}, so nothing is known to be right"
    if sums.control_strange:
        return f"the control has {counted(sums.control_strange, 'NaN or infinite element')}, so it gives no scale"
    wrong = ratio(sums.control, math.sqrt(sums.truth))
    if wrong > _NO_CONTROL:
        return f"the control's error is {number(wrong)} of the reference's output: it is no faultless implementation"
    return ""


def _traits(sums: ErrorSums, signature: Signature, limits: LayerLimits, heads: int | None) -> list[str]:
    """What no legitimate implementation shows; none for a sound stage."""
    if sums.strange:
        return [f"{counted(sums.strange, 'element')} NaN or infinite"]
    if signature.is_none:
        return []
    is_scaled = abs(signature.gain_z) > limits.gain_z and signature.gain_share > limits.gain_share
    peaks = [words(signature, heads) for words, peak in _PEAKS if _stands_out(peak(signature), limits)]
    if not (is_scaled or peaks or signature.ratio > limits.ratio):
        return []
    # Some factor fits every error a little; it is named where it is the error, or all that is known of it.
    named = is_scaled and (_is_mostly_scale(sums) or not (peaks or signature.ratio > limits.ratio))
    shape = peaks if named or peaks else [_spread(signature)]
    return [_size(sums), *([f"scaled by {1 + signature.gain:.4g}"] if named else []), *shape]


def _size(sums: ErrorSums) -> str:
    of = math.sqrt(sums.update)
    return f"error {number(ratio(sums.error, of))} of what it adds, the control's {number(ratio(sums.control, of))}"


def _is_mostly_scale(sums: ErrorSums) -> bool:
    explained = ratio(sums.gain**2, sums.update)
    return explained >= _MOSTLY * max(sums.error**2 - sums.control**2, 0.0)


def _stands_out(peak: Peak, limits: LayerLimits) -> bool:
    return peak.height > limits.peak_for(peak)


def _channel(signature: Signature, heads: int | None) -> str:
    (channel,) = signature.channel.place
    where = f"channel {channel} of head {channel // heads}" if heads else f"channel {channel}"
    return f"most at {where}"


def _spread(signature: Signature) -> str:
    """What an error without a peak looks like."""
    grows = grows_with_position(signature) and signature.position.height > _GROWTH
    return _position(signature, None) if grows else "spread evenly, as by rounding"


def _row(signature: Signature, _: int | None) -> str:
    return f"most in prompt {signature.row.place[0]}"


def _position(signature: Signature, _: int | None) -> str:
    if grows_with_position(signature):
        return f"grows with the position (rank correlation {signature.trend:.2f})"
    return f"most at position {signature.position.place[0]}"


def _token(signature: Signature, _: int | None) -> str:
    row, position = signature.token.place
    return f"most at position {position} of prompt {row}"


_PEAKS: tuple[tuple[Callable[[Signature, int | None], str], Callable[[Signature], Peak]], ...] = (
    (_channel, lambda signature: signature.channel),
    (_row, lambda signature: signature.row),
    (_position, lambda signature: signature.position),
    (_token, lambda signature: signature.token),
)
