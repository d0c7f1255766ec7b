"""Formats: spacing, rounding and ULP distance against the bits of torch and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.scoring.tensors.formats import coarser, dtype_name, format_of, rounded, ulp_distance, ulp_size

TORCH_FLOATS = ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
INTEGER_VIEWS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@pytest.mark.parametrize(
    ("magnitude", "spacing"), [(1, 0.0078125), (4, 0.03125), (8, 0.0625), (16, 0.125), (32, 0.25), (64, 0.5)]
)
def test_bfloat16_spacing_is_that_of_the_reference_table(magnitude, spacing):
    """7 stored bits: the spacing at 2ᵉ is 2ᵉ⁻⁷."""
    assert ulp_size(np.array([float(magnitude)]), format_of("bfloat16"))[0] == spacing


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
@given(value=st.floats(-6e4, 6e4))
def test_spacing_is_that_of_numpy(name, value):
    """np.spacing is the oracle, from subnormal to large."""
    stored = np.dtype(name).type(value)

    assert ulp_size(np.array([np.float64(stored)]), format_of(name))[0] == abs(np.float64(np.spacing(abs(stored))))


@pytest.mark.parametrize("name", TORCH_FLOATS)
@given(values=st.lists(st.floats(-400, 400), min_size=2, max_size=2))
def test_rounding_and_distance_are_those_of_torch_bits(name, values):
    """Rounded as torch casts, and as far apart as the integers behind the bits."""
    stored = torch.tensor(values, dtype=torch.float64).to(getattr(torch, name))
    bits = stored.view(INTEGER_VIEWS[stored.element_size()]).to(torch.int64).tolist()
    half = 1 << (8 * stored.element_size() - 1)
    places = [bit if bit >= 0 else -(bit + half) for bit in bits]
    form = format_of(name)

    sides = [rounded(np.array([value]), form) for value in values]

    assert [float(side[0]) for side in sides] == stored.to(torch.float64).tolist()
    assert int(ulp_distance(*sides, form)[0]) == abs(places[0] - places[1])


def test_the_two_zeros_are_no_step_apart():
    """−0 and +0 are one number."""
    assert ulp_distance(np.array([-0.0]), np.array([0.0]), format_of("float32"))[0] == 0


def test_the_largest_distance_does_not_overflow():
    """From the lowest to the highest float64 there are nearly 2⁶⁴ numbers."""
    top = np.finfo(np.float64).max

    steps = int(ulp_distance(np.array([-top]), np.array([top]), format_of("float64"))[0])

    assert steps == 2 * (2047 * 2**52 - 1)


def test_the_coarser_format_wins_and_lists_have_no_say():
    """A list carries no dtype, so it takes that of the other side."""
    assert coarser("float32", "bfloat16").name == "bfloat16"
    assert coarser("", "float16").name == "float16"
    assert coarser("", "").name == "float64"
    assert coarser("int64", "bool").name == "integer"
    assert coarser("int64", "float32").name == "float32"


def test_an_unknown_dtype_is_named():
    """A packed format has no spacing."""
    with pytest.raises(ValueError, match=r"dtype 'float4_e2m1fn_x2' is not known; expected an integer dtype or one of"):
        format_of("torch.float4_e2m1fn_x2")


def test_names_of_torch_and_numpy_are_one():
    """torch.bfloat16, np.float32 and their names."""
    assert [dtype_name(each) for each in (torch.bfloat16, np.float32, np.dtype("int8"))] == [
        "bfloat16",
        "float32",
        "int8",
    ]
