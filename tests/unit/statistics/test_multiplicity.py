"""P-values adjusted for there being several."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from pytest_llmval.statistics import benjamini_hochberg, holm

BOTH = pytest.mark.parametrize("adjusted", [holm, benjamini_hochberg])
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.mark.parametrize(("adjusted", "method"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
@settings(max_examples=8)  # multipletests collects garbage for Holm: a tenth of a second each
@given(p_values=P_VALUES)
def test_adjusted_values_agree_with_statsmodels(adjusted, method, p_values):
    """The oracle is multipletests."""
    assert adjusted(p_values) == pytest.approx(tuple(multipletests(p_values, method=method)[1]), abs=1e-15)


@given(P_VALUES)
def test_holm_is_the_stricter_one(p_values):
    """Holm ≥ Benjamini-Hochberg ≥ raw, and none above 1."""
    for strict, loose, raw in zip(holm(p_values), benjamini_hochberg(p_values), p_values, strict=True):
        assert 1 >= strict >= loose * (1 - 1e-15)
        assert loose >= raw * (1 - 1e-15)


@BOTH
@given(p_values=P_VALUES)
def test_adjusting_keeps_the_order(adjusted, p_values):
    """A smaller p-value never ends up above a larger one, and equal ones stay equal."""
    pairs = sorted(zip(p_values, adjusted(p_values), strict=True))

    assert [value for _, value in pairs] == sorted(value for _, value in pairs)
    assert len(set(pairs)) == len(set(p_values))


@BOTH
@given(p_values=P_VALUES, data=st.data())
def test_the_order_of_questions_is_of_no_account(adjusted, p_values, data):
    """Each question keeps its adjusted value wherever it stands."""
    order = data.draw(st.permutations(range(len(p_values))))

    assert adjusted([p_values[place] for place in order]) == tuple(adjusted(p_values)[place] for place in order)


@BOTH
@given(p_values=P_VALUES, data=st.data())
def test_weaker_evidence_helps_no_other_question(adjusted, p_values, data):
    """Raising one p-value lowers no adjusted one."""
    place = data.draw(st.integers(0, len(p_values) - 1))
    raised = list(p_values)
    raised[place] = data.draw(st.floats(p_values[place], 1))

    assert all(new >= old for new, old in zip(adjusted(raised), adjusted(p_values), strict=True))


def test_twenty_questions_without_an_answer():
    """Under no change one of twenty is below .05 in 1 − .95²⁰ = 64 % of suites, and by Holm in at most 5 %."""
    suites = np.random.default_rng(1).random((2000, 20))

    raw = np.mean([min(suite) <= 0.05 for suite in suites])
    adjusted = np.mean([min(holm(suite)) <= 0.05 for suite in suites])

    assert raw == pytest.approx(1 - 0.95**20, abs=0.04)
    assert 0.03 < adjusted <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


@BOTH
def test_no_question(adjusted):
    """Nothing asked, nothing adjusted."""
    assert adjusted([]) == ()


@BOTH
@pytest.mark.parametrize("wrong", [1.5, -0.1, math.nan, 5])
def test_what_is_no_probability(adjusted, wrong):
    """The message names the value and the range."""
    with pytest.raises(ValueError, match=rf"p-value {float(wrong)!r}; expected probabilities in \[0, 1\]"):
        adjusted([0.1, wrong])
