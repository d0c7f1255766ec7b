"""Norms, angles and finite elements."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.finite import assert_finite, compare_finite
from pytest_llmval.scoring.tensors.norms import assert_cosine, assert_rel_l2, compare_cosine, compare_rel_l2


def test_relative_l2_by_hand():
    """‖(0, 1)‖ / ‖(3, 4)‖ = 1 / 5."""
    comparison = compare_rel_l2([3.0, 5.0], [3.0, 4.0], 0.2)

    assert comparison.passed
    assert comparison.tensors[0].value == pytest.approx(0.2)
    with pytest.raises(ModelRegression, match=r"rel-L2 0\.2, allowed 0\.19\n"):
        assert_rel_l2([3.0, 5.0], [3.0, 4.0], 0.19)


@given(st.floats(0, 2), st.floats(0, 2), st.integers(0, 100))
def test_widening_the_limit_never_turns_a_pass_into_a_failure(limit, more, seed):
    """Whatever the tensors."""
    generator = np.random.default_rng(seed)
    pair = generator.normal(size=(2, 5))

    assert compare_rel_l2(*pair, limit + more).passed or not compare_rel_l2(*pair, limit).passed


def test_a_value_just_above_its_limit_reads_as_such():
    """As many digits as it takes to tell them apart."""
    with pytest.raises(ModelRegression, match=r"rel-L2 0\.1000001\d*, allowed 0\.1\n"):
        assert_rel_l2([1.1 + 1e-7], [1.0], 0.1)


def test_one_wrong_row_cannot_hide_among_right_ones(hidden):
    """Of 12 rows one is wrong: small over the whole tensor, 100 % in its own."""
    wrong = hidden.copy()
    wrong[1, 2] *= 2

    whole = compare_rel_l2(wrong, hidden, 0.5)

    assert whole.passed
    with pytest.raises(ModelRegression, match=r"rel-L2 1 at pos 2, allowed 0\.5") as raised:
        assert_rel_l2(wrong[1], hidden[1], 0.5, per_axis="pos", axes=("pos", "channel"))
    assert "100 % of the squared error lies at pos 2 (axis 0)" in str(raised.value)
    assert not compare_rel_l2(wrong, hidden, 0.5, per_axis=1).passed


def test_a_cosine_alone_is_blind_to_a_factor_and_ours_is_not(hidden):
    """Y = 1.5 x has the cosine 1."""
    with pytest.raises(ModelRegression, match=r"norm ratio 0\.5 from 1, allowed 0\.05"):
        assert_cosine(1.5 * hidden, hidden, 0.999)
    assert assert_cosine(1.04 * hidden, hidden, 0.999).passed
    assert assert_cosine(1.5 * hidden, hidden, 0.999, gain_tol=0.51).passed


def test_cosine_by_hand():
    """(1, 0) and (1, 1) are 45° apart and of length 1 and √2."""
    comparison = compare_cosine([1.0, 1.0], [1.0, 0.0], 0.7, gain_tol=0.5)

    assert comparison.passed
    assert comparison.tensors[0].statistics.cosine == pytest.approx(math.sqrt(0.5))
    with pytest.raises(ModelRegression, match=r"cosine 0\.707, at least 0\.8 asked"):
        assert_cosine([1.0, 1.0], [1.0, 0.0], 0.8, gain_tol=0.5)


def test_zeros_have_the_direction_of_zeros_only():
    """0 / 0 is neither a pass of everything nor NaN."""
    zeros, ones = np.zeros(3), np.ones(3)

    assert compare_cosine(zeros, zeros, 0.9).passed
    assert not compare_cosine(ones, zeros, 0.9).passed
    assert not compare_rel_l2(ones, zeros, 1e9).passed
    assert compare_rel_l2(zeros, zeros, 0.0).passed


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: assert_rel_l2([1.0], [1.0], -1), r"max_rel=-1; expected a number in \[0, inf\]"),
        (lambda: assert_cosine([1.0], [1.0], 1.5), r"minimum=1\.5; expected a number in \[-1, 1\]"),
        (lambda: assert_rel_l2([1.0], [1.0], 1, per_axis=3), "per_axis=3; expected a number below 1 or a name"),
        (lambda: assert_rel_l2([1.0], [1.0], 1, per_axis="pos"), r"per_axis='pos'; .*none named; name them by axes="),
    ],
)
def test_limits_and_axes_that_cannot_be_meant_are_refused(call, message):
    """Before anything is compared."""
    with pytest.raises(ValueError, match=message):
        call()


def test_very_large_and_very_small_numbers_neither_overflow_nor_vanish():
    """1e200² is no float64."""
    assert compare_rel_l2([1.1e200], [1e200], 0.2).tensors[0].value == pytest.approx(0.1)
    assert compare_rel_l2([1.1e-200], [1e-200], 0.2).tensors[0].value == pytest.approx(0.1)


def test_finite_counts_each_kind_and_names_the_first(hidden):
    """NaN and both infinities, tensor by tensor."""
    broken = hidden.copy()
    broken[0, 3, 5] = np.nan
    broken[1, 0, 0] = np.inf
    broken[1, 0, 1] = -np.inf

    with pytest.raises(ModelRegression) as raised:
        assert_finite(
            {"ok": hidden, "h": torch.from_numpy(broken)}, axes=("batch", "pos", "channel"), tokens=list("abcdef")
        )

    assert str(raised.value).splitlines() == [
        "1 of 2 tensors fail (finite), worst 'h': 3 of 384 elements are not finite (0.78 %): NaN 1, +Inf 1, -Inf 1",
        "  the first at [batch 0, pos 3, channel 5] (token 'd')",
    ]


def test_negative_infinity_passes_only_when_allowed():
    """Masks and forbidden tokens."""
    mask = np.array([0.0, -np.inf])

    assert not compare_finite(mask).passed
    assert assert_finite(mask, allow_negative_infinity=True).passed
    assert not compare_finite(-mask, allow_negative_infinity=True).passed


def test_nothing_to_look_at_is_not_finite():
    """An empty capture is no healthy one."""
    with pytest.raises(InvalidComparison, match="there is no element to look at"):
        assert_finite(np.ones(0))
    with pytest.raises(InvalidComparison, match="nothing was compared"):
        assert_finite({})
    assert assert_finite(np.ones(0), allow_empty=True).passed


def test_masked_elements_may_be_anything():
    """What stands in padding is nobody's business."""
    assert assert_finite(np.array([1.0, np.nan]), mask=[True, False]).passed


@pytest.mark.parametrize(("share", "named"), [(0.7, False), (0.8, True)])
def test_an_error_is_called_concentrated_from_half_way_between_even_and_all(share, named):
    """Of two rows, even is 50 %, so that 75 % is half-way."""
    error = np.sqrt(np.array([[share], [1 - share]]))

    concentration = compare_rel_l2(np.ones((2, 1)) + error, np.ones((2, 1)), 0.1).tensors[0].statistics.concentration

    assert [each.index for each in concentration] == ([0] if named else [])
