"""Quantisation error: signal-to-noise ratio of each channel, clipping, and scales that cannot be meant."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.arrays import values_of
from pytest_llmval.scoring.tensors.comparison import Comparison, concluded
from pytest_llmval.scoring.tensors.formats import format_of
from pytest_llmval.scoring.tensors.judged import Finding, compare_leaves
from pytest_llmval.scoring.tensors.magnitudes import norm
from pytest_llmval.scoring.tensors.norms import slices_of
from pytest_llmval.scoring.tensors.statistics import error_concentration
from pytest_llmval.scoring.tensors.wording import apart, counted, rounded_down, share

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_llmval.scoring.tensors.formats import Floats
    from pytest_llmval.scoring.tensors.pairs import Options, Pair

_WORST_SHOWN = 5


def compare_quantization(
    dequantized: Any,
    weight: Any,
    *,
    min_snr_db: float,
    channel_axis: int | None = 0,
    max_clip_share: float | None = None,
    scales: Any = None,
    **options: Unpack[Options],
) -> Comparison:
    """Signal-to-noise ratio of dequantised weights, in dB, for every output channel by itself.

    Args:
        dequantized: Quantised weights times their scales.
        weight: The weights they stand for.
        min_snr_db: Smallest 10·log₁₀(Σw² / Σ(q−w)²) of a channel: about 6 dB a bit.
        channel_axis: Axis of the output channels; None judges each tensor as a whole.
        max_clip_share: Largest share, in [0, 1], of weights that lie more than half a step beyond the largest
            magnitude of their channel; needs `scales`.
        scales: Step of each channel, `[channels]` or broadcast over a channel's rest; of one tensor. They must be
            finite, positive and not subnormal in their own dtype.
        **options: See `Options`; dtypes of the sides may differ here.

    Raises:
        ValueError: If clipping is to be judged without scales, or scales do not fit.
    """
    _refuse(min_snr_db, max_clip_share, scales, channel_axis)
    fitting = dict(options, check_dtype=options.get("check_dtype", False))

    def criterion(pair: Pair) -> Finding:
        axis = None if channel_axis is None else pair.labels.axis_number(channel_axis, len(pair.shape))
        ratios = _snr_db(pair, axis)
        problems = _snr_problem(ratios, min_snr_db)
        if scales is not None:
            steps = _steps(scales, pair, axis)
            problems += _scale_problem(scales) + _clip_problem(pair, axis, steps, max_clip_share)
        return Finding(
            passed=not problems,
            problem="; ".join(problems) or f"signal-to-noise ratio {ratios.min():.4g} dB",
            value=min_snr_db - float(ratios.min()),
            limit=0.0,
            concentration=error_concentration(pair),
            notes=_notes(ratios),
        )

    check = f"signal-to-noise ratio of at least {min_snr_db:g} dB"
    return compare_leaves(dequantized, weight, criterion, check, fitting)  # type: ignore[arg-type]


def assert_quantization_error(
    dequantized: Any,
    weight: Any,
    *,
    min_snr_db: float,
    channel_axis: int | None = 0,
    max_clip_share: float | None = None,
    scales: Any = None,
    **options: Unpack[Options],
) -> Comparison:
    """Quantised weights stand for the originals in every channel; see `compare_quantization`.

    Raises:
        ModelRegression: If a channel is too noisy or clipped, or a scale is zero, subnormal or not finite.
        InvalidComparison: If there was nothing to compare.
    """
    __tracebackhide__ = True
    return concluded(
        compare_quantization(
            dequantized,
            weight,
            min_snr_db=min_snr_db,
            channel_axis=channel_axis,
            max_clip_share=max_clip_share,
            scales=scales,
            **options,
        )
    )


def _refuse(min_snr_db: float, max_clip_share: float | None, scales: Any, axis: int | None) -> None:
    if not math.isfinite(min_snr_db):
        msg = f"min_snr_db={min_snr_db!r}; expected a finite number of decibels, for example 30 for 8 bits"
        raise ValueError(msg)
    if max_clip_share is not None and not 0 <= max_clip_share <= 1:
        msg = f"max_clip_share={max_clip_share!r}; expected a share in [0, 1]"
        raise ValueError(msg)
    if max_clip_share is not None and (scales is None or axis is None):
        msg = "max_clip_share needs scales= and a channel_axis: without the step, clipping cannot be told from rounding"
        raise ValueError(msg)


def _snr_db(pair: Pair, axis: int | None) -> Floats:
    """Of each channel, `[channels]`; infinite where there is no error."""
    weights, errors = slices_of(pair.floats()[1], axis), slices_of(pair.difference, axis)
    return np.array([_decibels(norm(weight), norm(error)) for weight, error in zip(weights, errors, strict=True)])


def _decibels(signal: float, noise: float) -> float:
    if not noise:
        return math.inf
    return 20 * math.log10(signal / noise) if signal else -math.inf


def _snr_problem(ratios: Floats, minimum: float) -> list[str]:
    low = int((ratios < minimum).sum())
    if not low:
        return []
    worst = int(np.argmin(ratios))
    value, limit = apart(float(ratios[worst]), minimum)
    where = f" in channel {worst}, {counted(low, 'channel')} of {len(ratios)} too low" if len(ratios) > 1 else ""
    return [f"signal-to-noise ratio {value} dB{where}, at least {limit} dB asked"]


def _scale_problem(scales: Any) -> list[str]:
    values = values_of(scales, "scales")
    least = 2.0 ** format_of(values.dtype or "float64").least_exponent if not values.is_integer else 1.0
    usable = np.isfinite(values.numbers) & (values.numbers >= least)
    wrong = int((~usable).sum())
    if not wrong:
        return []
    first = tuple(int(place) for place in np.argwhere(~usable)[0])
    value = values.numbers[first].item()
    of = counted(usable.size, "scale")
    return [f"{wrong} of {of} not finite, positive and normal, first at {list(first)}: {value!r}"]


def _steps(scales: Any, pair: Pair, axis: int | None) -> Floats:
    """The scale of each weight as rows, `[channels, rest]`."""
    steps = values_of(scales, "scales").floats
    if axis is not None and steps.shape == (pair.shape[axis],):
        steps = steps.reshape([-1 if place == axis else 1 for place in range(len(pair.shape))])
    try:
        return slices_of(np.broadcast_to(steps, pair.shape), axis)
    except ValueError as error:
        msg = f"scales of shape {steps.shape} for weights of shape {pair.shape}; expected one a channel"
        raise ValueError(msg) from error


def _clip_problem(pair: Pair, axis: int | None, steps: Floats, limit: float | None) -> list[str]:
    if limit is None:
        return []
    quantized, weights = (np.abs(slices_of(side, axis)) for side in pair.floats())
    beyond = weights > quantized.max(axis=1, keepdims=True, initial=0.0) + 0.5 * np.abs(steps) * (1 + 1e-6)
    clipped = float(beyond.mean())
    if clipped <= limit:
        return []
    return [f"{share(int(beyond.sum()), beyond.size)} of weights clipped, allowed {share(limit, 1.0)}"]


def _notes(ratios: Floats) -> tuple[str, ...]:
    if len(ratios) == 1:
        return ()
    order = np.argsort(ratios)[:_WORST_SHOWN]
    worst = ", ".join(f"{int(channel)} ({ratios[channel]:.1f} dB)" for channel in order)
    lowest = rounded_down(float(ratios.min())) if math.isfinite(ratios.min()) else "no number of"
    return (f"worst channels: {worst}; median {np.median(ratios):.1f} dB", f"would pass with {lowest} dB")
