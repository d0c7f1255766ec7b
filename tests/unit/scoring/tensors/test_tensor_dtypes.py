"""Every dtype: exact integers, half precision without overflow, bits and ULPs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.tensors.closeness import (
    assert_bitwise_equal,
    assert_tensors_close,
    assert_ulp_close,
    compare_bits,
    compare_tensors,
    compare_ulps,
)


def test_large_integers_are_compared_exactly():
    """2⁶² + 1 and 2⁶² are one number in float64."""
    ours, theirs = torch.tensor([2**62 + 1, -(2**63)]), torch.tensor([2**62, -(2**63)])

    comparison = compare_tensors(ours, theirs)

    assert comparison.tensors[0].mismatches == 1
    assert not compare_ulps(ours, theirs, 0).passed
    assert "expected 4611686018427387904 -> actual 4611686018427387905 (integers)" in str(comparison)


def test_the_whole_range_of_integers_does_not_wrap():
    """The distance from int64's lowest to its highest number is 2⁶⁴ − 1, and of mixed signedness it is exact."""
    low, high = np.array([-(2**63)]), np.array([2**63 - 1])

    assert compare_tensors(high, low).tensors[0].statistics.worst.difference == 2.0**64
    mixed = compare_tensors(np.array([2**63 + 1], dtype=np.uint64), high, check_dtype=False)
    assert mixed.tensors[0].statistics.worst.difference == 2


def test_half_precision_differences_do_not_overflow():
    """Torch subtracts float16 in float16: 6e4 − (−6e4) is infinite there."""
    comparison = compare_tensors(torch.tensor([6e4]).half(), torch.tensor([-6e4]).half())

    assert comparison.tensors[0].statistics.worst.difference == 2 * 60000.0


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "bfloat16", "complex64", "bool", "uint8"])
def test_every_dtype_is_read(name):
    """Also those that NumPy does not know."""
    values = torch.tensor([1.0, 0.0, 1.0]).to(getattr(torch, name))

    assert assert_tensors_close(values, values.clone()).passed
    with pytest.raises(ModelRegression):
        assert_tensors_close(values, torch.tensor([1.0, 1.0, 1.0]).to(getattr(torch, name)))


def test_ulps_are_counted_in_the_format_asked_for(hidden):
    """float32 results that agree once both are rounded to bfloat16."""
    near = hidden * np.float32(1 + 2**-12)

    with pytest.raises(ModelRegression, match=r"elements beyond 1 ULP of float32 .*\n.*\n") as raised:
        assert_ulp_close(near, hidden, 1)

    assert "would pass with Tol.ulp(" in str(raised.value)
    assert assert_ulp_close(near, hidden, 1, dtype=torch.bfloat16).passed


def test_bitwise_parts_what_is_equal_in_value():
    """+0 and −0, unless asked otherwise; NaN only equals NaN when asked."""
    zeros, negative = np.array([0.0, 1.0]), np.array([-0.0, 1.0])

    with pytest.raises(ModelRegression, match="they differ by the sign of zero only"):
        assert_bitwise_equal(negative, zeros)
    assert assert_bitwise_equal(negative, zeros, distinguish_signed_zero=False).passed
    assert not compare_bits(np.array([np.nan]), np.array([np.nan])).passed


def test_bitwise_says_when_all_is_one_rounding_away(hidden):
    """The reader then knows that it is no bug in the weights."""
    with pytest.raises(ModelRegression, match="none is further than 1 ULP of float32: one rounding"):
        assert_bitwise_equal(np.nextafter(hidden, np.float32(9)), hidden)


def test_integers_are_counted_in_steps_of_one():
    """A quantised code may be off by one."""
    codes = np.array([0, 5, -128], dtype=np.int8)

    assert assert_ulp_close(codes + np.int8([1, 0, 0]), codes, 1).passed
    with pytest.raises(ModelRegression, match="1 of 3 elements beyond 1 ULP of integer"):
        assert_ulp_close(codes + np.int8([2, 0, 0]), codes, 1)
    assert assert_ulp_close(codes, codes.astype(np.float32), 0, check_dtype=False).passed


def test_a_complex_number_is_two_numbers():
    """Also one without axes."""
    assert compare_tensors(1 + 2j, 1 + 2j).passed
    assert not compare_tensors(np.array([1 + 2j, 3]), np.array([1 - 2j, 3])).passed


def test_foreign_byte_order_has_the_same_bits():
    """An array read from a file of another machine is the same number."""
    values = np.array([1.5, -2.25, 3e-7])

    assert compare_bits(values.astype(">f8"), values).passed
    assert compare_bits(values.astype("<f8"), values).passed
