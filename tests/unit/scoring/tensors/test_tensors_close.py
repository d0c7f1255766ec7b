"""Element by element: agreement with torch, monotony, and the message."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import event, given, reject
from hypothesis import strategies as st

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.closeness import (
    assert_tensors_close,
    compare_bits,
    compare_tensors,
    compare_ulps,
)
from pytest_llmval.scoring.tensors.tolerances import Tol

DTYPES = ["float64", "float32", "float16", "bfloat16", "int32", "int64"]


def _passes_in_torch(actual, expected, tol, *, equal_nan):
    try:
        torch.testing.assert_close(actual, expected, rtol=tol.rtol, atol=tol.atol, equal_nan=equal_nan)
    except AssertionError:
        return False
    return True


@st.composite
def _pairs(draw, *, are_finite=False):
    """Two tensors of one dtype, near to each other, equal or with elements that are not finite only if asked."""
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    shape = draw(st.sampled_from([(1,), (5,), (3, 4), (2, 3, 4), ()]))
    expected = generator.normal(size=shape) * 10.0 ** draw(st.integers(-3, 3))
    actual = expected + generator.normal(size=shape) * 10.0 ** draw(st.integers(-9, 1)) * (
        are_finite or draw(st.booleans())
    )
    for side in (actual, expected):
        if not are_finite and draw(st.booleans()) and side.size > 1:
            side.flat[draw(st.integers(0, side.size - 1))] = draw(st.sampled_from([np.nan, np.inf, -np.inf, 0.0]))
    dtype = getattr(torch, draw(st.sampled_from(DTYPES)))
    sides = [torch.tensor(np.nan_to_num(side) if not dtype.is_floating_point else side) for side in (actual, expected)]
    return sides[0].to(dtype), sides[1].to(dtype)


@given(
    pair=_pairs(),
    rtol=st.sampled_from([0.0, 1e-7, 1e-3, 1.6e-2, 0.3]),
    atol=st.sampled_from([0.0, 1e-5, 1e-2, 1.0]),
    equal_nan=st.booleans(),
)
def test_agrees_with_torch_at_the_same_tolerance(pair, rtol, atol, equal_nan):
    """torch.testing.assert_close is the oracle wherever the tolerance can be met and its own dtype does not decide."""
    actual, expected = pair
    tol = Tol(rtol=rtol, atol=atol)
    try:
        found = compare_tensors(actual, expected, tol=tol, equal_nan=equal_nan)
    except ValueError as refused:
        assert "cannot be met" in str(refused)  # noqa: PT017 - the only refusal there is
        return
    # torch subtracts in the input's dtype: widened, it decides as we do on the very edge of the tolerance.
    wide = [side.to(torch.float64) for side in (actual, expected)]

    assert found.passed == _passes_in_torch(*wide, tol, equal_nan=equal_nan)


@given(pair=_pairs(), small=st.floats(0, 1), more=st.floats(0, 1), part=st.sampled_from(["rtol", "atol", "atol_rms"]))
def test_widening_a_tolerance_never_turns_a_pass_into_a_failure(pair, small, more, part):
    """Whatever part is widened; a refusal is no verdict."""
    narrow, wide = Tol(**{part: small}), Tol(**{part: small + more})
    try:
        passes = compare_tensors(*pair, tol=narrow, equal_nan=True).passed
        still = compare_tensors(*pair, tol=wide, equal_nan=True).passed
    except ValueError:
        reject()

    assert still or not passes


@given(pair=_pairs(), few=st.integers(0, 1000), more=st.integers(0, 1000))
def test_more_ulps_never_turn_a_pass_into_a_failure(pair, few, more):
    """The same for ULPs."""
    assert compare_ulps(*pair, few + more).passed or not compare_ulps(*pair, few).passed


@given(pair=_pairs(are_finite=True))
def test_the_suggested_tolerances_pass_when_copied(pair):
    """Every way that the message offers is enough, where the two differ after rounding to their dtype."""
    comparison = compare_tensors(*pair, tol=Tol.exact())
    event(f"differ: {not comparison.passed}")
    if comparison.passed:
        return
    note = comparison.tensors[0].notes[0]

    ways = [f"Tol({name}={value})" for name, value in re.findall(r"(rtol|atol_rms|atol) ([\d.e+-]+)", note)]
    ways += re.findall(r"Tol\.ulp\(\d+\)", note)

    assert len(ways) >= 2
    for way in ways:
        tol = eval(way)  # noqa: S307 - the text of the message is what is tested
        try:
            assert compare_tensors(*pair, tol=tol).passed, way
        except ValueError as refused:
            assert "cannot be met" in str(refused)  # noqa: PT017 - 3 digits of a subnormal difference


def test_the_message_reads_from_the_headline_down(hidden):
    """Worst element with both values, ULPs and token, minimal tolerance, mismatches, concentration, NaN census."""
    wrong = hidden.copy()
    wrong[:, :, 7] += 0.5
    tokens = ["The", " cat", " sat", " on", " the", " mat"]

    with pytest.raises(ModelRegression) as raised:
        assert_tensors_close(wrong, hidden, tol=Tol(rtol=1e-3), axes=("batch", "pos", "channel"), tokens=tokens)

    lines = str(raised.value).splitlines()
    assert lines[0] == (
        "the tensor (2, 6, 32) float32 fails (elementwise within rtol 0.001): "
        "12 of 384 elements beyond rtol 0.001 (3.12 %)"
    )
    index = tuple(int(place) for place in np.unravel_index(np.argmax(np.abs(wrong - hidden)), hidden.shape))
    assert re.fullmatch(
        rf"  worst \|Δ\| 0\.5 at \[batch {index[0]}, pos {index[1]}, channel 7\] \(token '{tokens[index[1]]}'\): "
        r"expected -?[\d.e-]+ -> actual -?[\d.e-]+ \([\d.]+e\+06 ULP of float32\)",
        lines[1],
    )
    assert "  mismatches 12 of 384 elements (3.12 %)" in lines
    assert "  100 % of the mismatches lie at channel 7 (axis 2)" in lines
    assert any(line.startswith("  would pass with rtol ") and "| atol 0.5" in line for line in lines)
    assert lines[-1] == "  not finite: expected NaN 0, +Inf 0, -Inf 0 -> actual NaN 0, +Inf 0, -Inf 0"


def test_a_distance_of_many_ulps_is_short():
    """Two digits above 10 000, rounded up.

    2²³ float32 numbers lie between 1 and 2, so 0.5 · 2²³ = 4 194 304 up to 1.5, and a quarter of 2²³ from 2 to 2.5.
    """
    one, near, far, further = (np.array([value], dtype=np.float32) for value in (1.0, 1 + 10_000 * 2.0**-23, 1.5, 2.5))

    assert "expected 1 -> actual 1.5 (4.2e+06 ULP of float32)" in str(compare_tensors(far, one))
    assert "(10000 ULP of float32)" in str(compare_tensors(near, one))
    assert "none is further than 1.1e+07 ULP of float32" in str(compare_bits(further, one))  # 10 485 760


def test_names_of_axes_are_not_given_to_tensors_of_other_dimensions(hidden):
    """Keys of a cache, `[batch, heads, positions, channels]`, have their position elsewhere than a hidden state."""
    keys = hidden.reshape(2, 6, 8, 4).swapaxes(1, 2)
    wrong = keys.copy()
    wrong[1, 7, 3, 2] += 9

    comparison = compare_tensors(
        {"keys": wrong}, {"keys": keys}, axes=("batch", "pos", "channel"), tokens=[list("abcdef"), list("ABCDEF")]
    )

    assert "at [1, 7, 3, 2] (token 'D'): " in str(comparison)


def test_every_failing_tensor_is_listed_not_only_the_first(hidden):
    """torch.testing stops at the first item of a dict."""
    other = {name: hidden + shift for name, shift in (("a", 0.1), ("b", 0.0), ("c", 0.2))}

    with pytest.raises(ModelRegression) as raised:
        assert_tensors_close(other, dict.fromkeys("abc", hidden))

    text = str(raised.value)
    assert (
        text.startswith("2 of 3 tensors fail (elementwise within Tol.auto of the dtypes), worst 'a'") or "'c'" in text
    )
    assert re.search(r"^  a  \(2, 6, 32\) float32  384 of 384 elements beyond", text, re.MULTILINE)
    assert re.search(r"^  c  \(2, 6, 32\) float32  384 of 384 elements beyond", text, re.MULTILINE)
    assert "\n  b" not in text


def test_a_nan_does_not_hide_the_finite_differences(hidden):
    """In torch's message one NaN makes both greatest differences NaN."""
    wrong = hidden + np.float32(0.25)
    wrong[0, 0, 0] = np.nan

    comparison = compare_tensors(wrong, hidden)

    statistics = comparison.tensors[0].statistics
    assert statistics.worst.difference == pytest.approx(0.25, abs=1e-6)
    assert (statistics.actual_census.nan, statistics.expected_census.nan, statistics.disagreeing) == (1, 0, 1)
    assert "1 element NaN or infinite on one side only" in str(comparison)
    assert str(comparison).endswith("-> actual NaN 1, +Inf 0, -Inf 0, first at [0, 0, 0]")


def test_nan_is_equal_to_nan_only_when_asked(hidden):
    """The default of NumPy's assert_allclose is the other way round."""
    hidden[0, 0, 0] = np.nan

    assert not compare_tensors(hidden, hidden).passed
    assert compare_tensors(hidden, hidden, equal_nan=True).passed


def test_infinities_of_one_sign_are_equal_and_of_two_are_not():
    """A causal mask is full of −Inf."""
    mask = np.array([0.0, -np.inf, -np.inf])

    assert compare_tensors(mask, mask).passed
    assert not compare_tensors(mask, np.array([0.0, np.inf, -np.inf])).passed


def test_a_mask_of_the_first_axes_leaves_padding_out(hidden):
    """An attention mask, `[batch, positions]`."""
    mask = np.ones((2, 6))
    mask[1, 4:] = 0
    wrong = hidden.copy()
    wrong[1, 4:] = np.nan

    comparison = assert_tensors_close(wrong, hidden, mask=mask)

    assert (comparison.tensors[0].compared, comparison.tensors[0].excluded) == (10 * 32, 2 * 32)
    with pytest.raises(ModelRegression):
        assert_tensors_close(wrong, hidden)


def test_the_result_keeps_no_tensor(hidden):
    """A comparison that is kept must not pin memory."""

    def held(value):
        if isinstance(value, np.ndarray | np.generic | torch.Tensor):
            return [value]
        if isinstance(value, tuple):
            return [each for part in value for each in held(part)]
        names = getattr(value, "__slots__", ())
        return [each for name in names for each in held(getattr(value, name))]

    comparison = compare_tensors({"a": torch.from_numpy(hidden), "b": hidden}, {"a": hidden + 1, "b": hidden})

    assert not comparison.passed
    assert held(comparison) == []


def test_a_failure_is_an_assertion_error_and_nothing_compared_is_invalid():
    """Two kinds that reports tell apart."""
    assert issubclass(ModelRegression, AssertionError)
    with pytest.raises(InvalidComparison, match="has no elements, so nothing was compared; allow_empty=True"):
        assert_tensors_close(np.ones((0, 3)), np.ones((0, 3)))
    assert assert_tensors_close(np.ones((0, 3)), np.ones((0, 3)), allow_empty=True).passed


def test_results_are_found_by_their_path(hidden):
    """In the order of the container, or by name."""
    comparison = compare_tensors({"a": hidden, "b": hidden}, {"a": hidden, "b": hidden})

    assert [each.path for each in comparison.tensors] == ["a", "b"]
    assert comparison["b"].passed
    assert str(comparison) == "2 tensors compared, all pass: elementwise within Tol.auto of the dtypes"
    with pytest.raises(KeyError):
        comparison["c"]
