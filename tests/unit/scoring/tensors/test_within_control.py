"""Within control: the error of a legitimate implementation is the scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.control import assert_within_control, compare_within_control


@pytest.fixture
def reference() -> torch.Tensor:
    """A matrix product in float64."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(64, 64, generator=generator, dtype=torch.float64)


def test_another_rounding_of_the_same_numbers_passes(reference):
    """Two ways to round to bfloat16, one of them twice."""
    control = reference.bfloat16()

    assert assert_within_control(reference.half().bfloat16(), reference, control).passed


def test_a_bug_beyond_the_noise_fails_and_the_message_says_by_how_much(reference):
    """A factor of 1.05 on everything is 15 times the rounding of bfloat16 (about 0.0017)."""
    with pytest.raises(ModelRegression) as raised:
        assert_within_control(reference.bfloat16() * 1.05, reference, reference.bfloat16())

    text = str(raised.value)
    assert text.startswith(
        "the tensor (64, 64) float64 -> bfloat16 fails (error within the factor of its dtype and size the control's): "
        "rel-L2 0.05"
    )
    assert "allowed 0.008" in text
    assert "(3 x control + 0.00391; control 0.0016" in text
    assert "the candidate's error is up to 2" in text


def test_a_constant_tolerance_misses_what_the_control_shows(reference):
    """A channel off by 4 % lies within torch's default for bfloat16 in most elements; per channel it does not."""
    wrong = reference.clone()
    wrong[:, 3] *= 1.04

    with pytest.raises(ModelRegression, match="at channel 3, allowed"):
        assert_within_control(
            wrong.bfloat16(), reference, reference.bfloat16(), per_axis="channel", axes=("row", "channel")
        )


def test_the_excess_is_attributed_to_its_channel(reference):
    """The control's own error is taken off first."""
    wrong = reference.clone()
    wrong[:, 3] *= 2

    comparison = compare_within_control(wrong.bfloat16(), reference, reference.bfloat16())

    concentration = comparison.tensors[0].statistics.concentration
    assert [(each.axis, each.index, each.of) for each in concentration] == [(1, 3, "the excess over the control")]
    assert concentration[0].share == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("shape", "dtype", "factor"),
    [
        ((64, 64), torch.float32, "2 x"),
        ((64, 64), torch.bfloat16, "3 x"),
        ((30, 30), torch.float32, "8 x"),
        ((2, 5), torch.float32, "10 x"),
    ],
)
def test_the_factor_depends_on_dtype_and_size(reference, shape, dtype, factor):
    """Those of torch's Inductor: 2 for float32, 3 for half, 8 below 1000 elements, 10 up to 10."""
    part = reference[: shape[0], : shape[1]]

    comparison = compare_within_control((part * 2).to(dtype), part, part.to(dtype))

    assert f"({factor} control + " in comparison.tensors[0].problem


def test_an_exact_control_without_a_floor_demands_equality(reference):
    """There is no scale then, and the message says so."""
    assert assert_within_control(reference, reference, reference, floor=0.0).passed
    with pytest.raises(ModelRegression, match="no factor would pass: the control equals the reference; floor"):
        assert_within_control(reference + 1e-12, reference, reference, floor=0.0)


def test_one_rounding_is_always_allowed(reference):
    """The default floor: a control that happens to be exact does not forbid what no implementation can avoid."""
    rounded = reference.float().double()

    assert assert_within_control(rounded.float(), reference, rounded, check_dtype=False).passed


def test_a_control_that_is_not_finite_decides_nothing(reference):
    """Inductor warns there; we call the comparison invalid."""
    control = reference.clone()
    control[0, 0] = torch.nan

    with pytest.raises(InvalidComparison, match="the control is not finite at 1 elements where the reference is"):
        assert_within_control(reference, reference, control)


def test_a_candidate_that_is_not_finite_fails(reference):
    """Even where the rest is within."""
    wrong = reference.clone()
    wrong[0, 0] = torch.inf

    with pytest.raises(ModelRegression, match="1 element NaN or infinite on one side only"):
        assert_within_control(wrong, reference, reference.float())


def test_a_control_of_another_shape_is_refused(reference):
    """Nothing is broadcast."""
    with pytest.raises(ValueError, match=r"the control does not fit the reference: .*shape expected \(64, 64\)"):
        compare_within_control(reference, reference, reference[:1])
    with pytest.raises(ValueError, match="the control does not fit the reference: b: missing"):
        compare_within_control({"b": reference}, {"b": reference}, {"a": reference})


@pytest.mark.parametrize("wrong", [{"factor": -1.0}, {"floor": float("nan")}])
def test_a_bound_that_cannot_be_meant_is_refused(reference, wrong):
    """Negative and NaN."""
    with pytest.raises(ValueError, match=r"(factor|floor)=.*; expected a finite number of at least 0"):
        compare_within_control(reference, reference, reference, **wrong)


@given(st.integers(0, 50), st.floats(0, 5), st.floats(0, 5), st.floats(0, 0.1), st.floats(0, 0.1))
def test_widening_factor_or_floor_never_turns_a_pass_into_a_failure(seed, factor, more, floor, higher):
    """Whatever the errors."""
    generator = np.random.default_rng(seed)
    reference = generator.normal(size=20)
    candidate, control = (reference + 0.05 * generator.normal(size=20) for _ in range(2))

    narrow = compare_within_control(candidate, reference, control, factor=factor, floor=floor)
    wide = compare_within_control(candidate, reference, control, factor=factor + more, floor=floor + higher)

    assert wide.passed or not narrow.passed
