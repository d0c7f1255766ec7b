"""Greedy divergence: TIE, DRIFT and FLIP."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.divergence import DivergenceKind, assert_no_flips, classify_divergence


def test_each_kind_by_its_gap():
    """bfloat16 at magnitude 32 to 64 has the spacing 0.25: two of them are a tie, not vllm-rbln#741's 0.125."""
    reference = np.array([[40.0, 39.5, 0.0], [40.0, 39.0, 0.0], [40.0, 30.0, 0.0], [40.0, 1.0, 0.0]])
    candidate = np.array([[39.5, 40.0, 0.0], [39.0, 40.0, 0.0], [30.0, 40.0, 0.0], [40.0, 2.0, 0.0]])

    report = classify_divergence(candidate, reference, dtype="bfloat16", drift_bound=2.0)

    assert [each.kind for each in report.divergences] == [DivergenceKind.TIE, DivergenceKind.DRIFT, DivergenceKind.FLIP]
    assert [(each.gap, each.gap_ulps, each.tie_bound) for each in report.divergences] == [
        (0.5, 2.0, 0.5),
        (1.0, 4.0, 0.5),
        (10.0, 40.0, 0.5),
    ]
    assert (report.ties, report.drifts, report.flips, report.first.index) == (1, 1, 1, (0,))


def test_the_message_lists_flips_by_their_gap():
    """With the token that the position has read."""
    reference = np.array([[4.0, 1.0], [4.0, 3.0], [1.0, 0.0]])
    candidate = reference[:, ::-1]

    with pytest.raises(ModelRegression) as raised:
        assert_no_flips(candidate, reference, dtype="bfloat16", tokens=["a", " b", " c"])

    assert str(raised.value).splitlines() == [
        "top token differs at 3 of 3 positions (100 %): 3 FLIP, 0 DRIFT, 0 TIE (tie: 2 ULP of bfloat16; drift: 0)",
        "  FLIP at [0] (token 'a'): token 0 -> 1, gap 3 in the reference (96 ULP, tie up to 0.0625)",
        "  FLIP at [1] (token ' b'): token 0 -> 1, gap 1 in the reference (32 ULP, tie up to 0.0625)",
        "  FLIP at [2] (token ' c'): token 0 -> 1, gap 1 in the reference (128 ULP, tie up to 0.0156)",
    ]


def test_rounding_to_bfloat16_makes_ties_and_no_flips(logits):
    """Two logits rounded once each move their gap by at most one spacing."""
    close = torch.tensor(logits)
    close[:, 1] = close.max(-1).values + 0.004
    rounded = close.bfloat16()

    report = assert_no_flips(rounded, close)

    assert report.ties > 0
    assert report.ulp_format == "bfloat16"
    with pytest.raises(ModelRegression):
        assert_no_flips(rounded.double(), close)


def test_the_dtype_of_the_computation_can_be_said(logits):
    """Logits are often widened to float32 before they are handed out."""
    close = torch.tensor(logits)
    close[:, 1] = close.max(-1).values + 0.004

    assert assert_no_flips(close.bfloat16().double(), close, dtype=torch.bfloat16).ties > 0


def test_a_control_widens_the_tie(logits):
    """What a legitimate implementation changes is no flip."""
    generator = np.random.default_rng(4)
    candidate, control = (logits + 0.2 * generator.normal(size=logits.shape) for _ in range(2))

    alone, with_control = (
        classify_divergence(candidate, logits),
        classify_divergence(candidate, logits, control=control),
    )

    assert alone.flips > 0
    assert with_control.flips == 0
    assert with_control.ties == alone.flips


def test_later_differences_are_seen_after_the_first():
    """Under teacher forcing every position is comparable."""
    reference = np.tile([4.0, 1.0], (5, 1))
    candidate = reference.copy()
    candidate[[1, 3]] = [1.0, 4.0]

    assert [each.index for each in classify_divergence(candidate, reference).divergences] == [(1,), (3,)]


def test_agreement_is_reported_as_such(logits):
    """No divergence, no first."""
    report = assert_no_flips(logits, logits)

    assert (report.divergences, report.first, report.positions) == ((), None, 120)
    assert str(report).startswith("top token differs at 0 of 120 positions (0 %): 0 FLIP, 0 DRIFT, 0 TIE")


def test_a_forbidden_choice_is_a_flip():
    """The reference gives it −Inf."""
    report = classify_divergence([[0.0, 1.0]], [[0.0, -np.inf]])

    assert (report.flips, report.first.gap) == (1, np.inf)


@given(st.integers(0, 200), st.floats(0, 50), st.floats(0, 50), st.floats(0, 3), st.floats(0, 3))
def test_wider_bounds_never_make_a_flip(seed, ulps, more, drift, further):
    """Nor does a tie become a drift."""
    generator = np.random.default_rng(seed)
    sides = generator.normal(size=(2, 20, 5))

    narrow = classify_divergence(*sides, tie_ulps=ulps, dtype="float8_e4m3fn", drift_bound=drift)
    wide = classify_divergence(*sides, tie_ulps=ulps + more, dtype="float8_e4m3fn", drift_bound=drift + further)

    assert wide.flips <= narrow.flips
    assert wide.ties >= narrow.ties


@pytest.mark.parametrize("wrong", [{"tie_ulps": -1}, {"drift_bound": float("nan")}])
def test_bounds_that_cannot_be_meant_are_refused(logits, wrong):
    """Negative and NaN."""
    with pytest.raises(ValueError, match=r"(tie_ulps|drift_bound)=.*; expected a finite number of at least 0"):
        classify_divergence(logits, logits, **wrong)


def test_texts_of_different_length_are_never_cut(logits):
    """zip() would compare the first 100 positions and call it equal."""
    with pytest.raises(InvalidComparison, match=r"shape expected \(120, 40\) -> actual \(100, 40\)"):
        classify_divergence(logits[:100], logits)


def test_no_position_is_no_agreement(logits):
    """A mask of nothing."""
    with pytest.raises(InvalidComparison, match="0 positions count, at least 1"):
        classify_divergence(logits, logits, mask=np.zeros(120))
