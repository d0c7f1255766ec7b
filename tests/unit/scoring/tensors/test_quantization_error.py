"""Quantisation error: noise by channel, clipping, scales."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.tensors.quantization import assert_quantization_error, compare_quantization


def quantized(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Rounded to nearest with one symmetric scale a row, and the scales."""
    top = 2 ** (bits - 1) - 1
    scales = np.abs(weight).max(axis=1) / top
    return np.round(weight / scales[:, None]) * scales[:, None], scales


@pytest.fixture
def weight() -> np.ndarray:
    """16 channels of 256 weights."""
    return np.random.default_rng(0).normal(size=(16, 256))


def test_the_ratio_by_hand():
    """Σw² = 25, Σ(q − w)² = 0.25: 10·log₁₀ 100 = 20 dB."""
    comparison = compare_quantization(np.array([[3.0, 4.5]]), np.array([[3.0, 4.0]]), min_snr_db=20.0)

    assert comparison.passed
    assert comparison.tensors[0].value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("bits", "floor"), [(8, 38), (4, 13)])
def test_each_bit_is_worth_six_decibels(weight, bits, floor):
    """Round to nearest keeps its promise in every channel, and not more."""
    rounded, scales = quantized(weight, bits)

    assert assert_quantization_error(rounded, weight, min_snr_db=floor, scales=scales, max_clip_share=0.0).passed
    assert not compare_quantization(rounded, weight, min_snr_db=floor + 12).passed


def test_one_broken_channel_is_found_and_named(weight):
    """Over the whole tensor it would be 12 dB better."""
    rounded, _ = quantized(weight, 8)
    rounded[5] *= 1.1

    with pytest.raises(ModelRegression) as raised:
        assert_quantization_error(rounded, weight, min_snr_db=30)

    text = str(raised.value)
    assert "signal-to-noise ratio 20 dB in channel 5, 1 channel of 16 too low, at least 30 dB asked" in text
    assert "worst channels: 5 (20.0 dB), " in text
    assert "% of the squared error lies at index 5 of axis 0" in text
    assert compare_quantization(rounded, weight, min_snr_db=30, channel_axis=None).passed


def test_clipped_weights_are_counted(weight):
    """A scale chosen too small cuts the outliers off."""
    scales = np.full(16, 2.0 / 127)
    clipped = np.clip(np.round(weight / scales[:, None]), -127, 127) * scales[:, None]
    share = float((np.abs(weight) > 2.0 + scales[0] / 2).mean())

    with pytest.raises(ModelRegression, match=f"{100 * share:.3g} % of weights clipped, allowed 1 %"):
        assert_quantization_error(clipped, weight, min_snr_db=5, scales=scales, max_clip_share=0.01)
    assert not compare_quantization(clipped, weight, min_snr_db=5, scales=scales, max_clip_share=0.9 * share).passed
    assert compare_quantization(clipped, weight, min_snr_db=5, scales=scales, max_clip_share=share).passed


@pytest.mark.parametrize(
    ("scale", "shown"), [(0.0, "0.0"), (np.inf, "inf"), (-1.0, "-1.0"), (1e-40, "9.99994610111476e-41")]
)
def test_scales_that_cannot_be_meant_are_named(weight, scale, shown):
    """Zero, infinite, negative, and subnormal in float32."""
    rounded, scales = quantized(weight, 8)
    scales = scales.astype(np.float32)
    scales[3] = scale

    with pytest.raises(
        ModelRegression, match=r"1 of 16 scales not finite, positive and normal, first at \[3\]: "
    ) as raised:
        assert_quantization_error(rounded, weight, min_snr_db=10, scales=scales)

    assert shown in str(raised.value).splitlines()[0]


def test_an_all_zero_channel_must_stay_zero(weight):
    """No signal: any noise is too much."""
    weight[2] = 0
    wrong = weight.copy()
    wrong[2, 0] = 1e-9

    assert compare_quantization(weight, weight, min_snr_db=100).passed
    assert "in channel 2" in compare_quantization(wrong, weight, min_snr_db=10).tensors[0].problem


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_snr_db": float("nan")}, "min_snr_db=nan; expected a finite number of decibels"),
        ({"min_snr_db": 1, "max_clip_share": 2}, r"max_clip_share=2; expected a share in \[0, 1\]"),
        ({"min_snr_db": 1, "max_clip_share": 0.1}, "max_clip_share needs scales= and a channel_axis"),
        ({"min_snr_db": 1, "scales": [1.0, 1.0]}, r"scales of shape \(2,\) for weights of shape \(16, 256\)"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(weight, options, message):
    """Rather than judged as passed."""
    with pytest.raises(ValueError, match=message):
        compare_quantization(weight, weight, **options)
