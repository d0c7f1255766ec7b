"""Tolerances: presets, and the refusal of those that no number can meet."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing._comparison import default_tolerances

from pytest_llmval.scoring.tensors.closeness import assert_tensors_close
from pytest_llmval.scoring.tensors.tolerances import Tol


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128", "int64"])
def test_the_torch_preset_is_torchs_own_default(name):
    """torch.testing is the oracle of its own table."""
    tol = Tol.torch(name)

    assert (tol.rtol, tol.atol) == default_tolerances(getattr(torch, name))


def test_two_dtypes_take_the_larger_tolerance():
    """As torch.testing does."""
    assert Tol.torch(torch.float32, torch.bfloat16) == Tol(rtol=1.6e-2, atol=1e-5)
    assert Tol.torch("float32", "int8").rtol == 1.3e-6


def test_presets_read_as_their_parts():
    """The text goes into the headline."""
    assert str(Tol.auto("bfloat16")) == "0.008 RMS + rtol 0.016"
    assert str(Tol.torch("float32")) == "atol 1e-05 + rtol 1.3e-06"
    assert str(Tol.ulp(3)) == "3 ULP"
    assert str(Tol.exact()) == str(Tol.ulp(0)).replace("0 ULP", "exact") == "exact"


@pytest.mark.parametrize("wrong", [{"rtol": -1.0}, {"atol": float("nan")}, {"atol_rms": float("inf")}])
def test_a_part_that_is_no_tolerance_is_refused(wrong):
    """Negative, NaN and infinite."""
    with pytest.raises(ValueError, match=r"Tol: \w+=.*; expected a finite number of at least 0"):
        Tol(**wrong)


def test_ulps_are_not_mixed_with_other_parts():
    """Either of two bounds would pass what neither alone does."""
    with pytest.raises(ValueError, match=r"max_ulp=2 .*no other part"):
        Tol(rtol=1e-3, max_ulp=2)


def test_a_tolerance_below_half_a_spacing_is_refused_with_the_reason():
    """sgl-project/sglang#35795: atol 0.06 where half a spacing of bfloat16 is 0.0625 (magnitude 16 to 32)."""
    values = torch.tensor([17.0, 1.0], dtype=torch.bfloat16)

    with pytest.raises(ValueError, match="cannot be met") as raised:
        assert_tensors_close(values, values, tol=Tol(atol=0.06))

    assert str(raised.value) == (
        "the tolerance (atol 0.06) cannot be met: at the expected value 17 it allows 0.06, below half the spacing "
        "0.125 of bfloat16 there, so that only equal values pass; use Tol.exact() if that is meant, else atol of at "
        "least 0.0625 or rtol of at least 0.00391"
    )


def test_the_advice_of_the_refusal_is_accepted():
    """Half a spacing is enough to ask for."""
    values = torch.tensor([17.0, 1.0], dtype=torch.bfloat16)

    for tol in (Tol(atol=0.0625), Tol(rtol=0.00391), Tol.exact(), Tol.ulp(0), Tol.torch("bfloat16")):
        assert assert_tensors_close(values, values, tol=tol).passed


def test_rtol_alone_is_not_refused_for_zeros_and_subnormal_numbers():
    """A zero must be met exactly then, and a masked element is."""
    values = np.array([0.0, 1e-310, 2.0])

    assert assert_tensors_close(values, values, tol=Tol(rtol=1e-7)).passed


def test_the_refusal_names_the_tensor():
    """In a container of many."""
    values = {"layers": [np.ones(3, dtype=np.float16)]}

    with pytest.raises(ValueError, match=r"^layers\[0\]: the tolerance \(atol 1e-05\) cannot be met"):
        assert_tensors_close(values, values, tol=Tol(atol=1e-5))


def test_exact_is_refused_where_the_actual_format_cannot_hold_the_expected_values():
    """bfloat16 has no 0.1."""
    with pytest.raises(ValueError, match=r"bfloat16 cannot hold 1 of 2 expected values, for example 0\.1; round"):
        assert_tensors_close(
            torch.tensor([0.1, 2.0]).bfloat16(), np.array([0.1, 2.0]), tol=Tol.exact(), check_dtype=False
        )


def test_half_a_tolerance_on_integers_is_refused():
    """Integers are 1 apart."""
    with pytest.raises(ValueError, match="below half the spacing 1 of integer"):
        assert_tensors_close(np.array([5]), np.array([5]), tol=Tol(atol=0.4))
