"""Top logprobs of an API: a lower bound, never more."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.distributions import kl_divergence, log_softmax
from pytest_llmval.scoring.tensors.top_logprobs import assert_kl_not_above, compare_top_logprobs, kl_lower_bound


def top(log_p: np.ndarray, k: int, decimals: int = 17) -> dict[int, float]:
    """The k most probable tokens, as an API would list them."""
    return {int(token): round(float(log_p[token]), decimals) for token in np.argsort(-log_p)[:k]}


@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 30),
    k_other=st.integers(1, 30),
    scale=st.sampled_from([0.1, 1.0, 5.0, 30.0]),
    decimals=st.sampled_from([17, 8]),
)
def test_the_bound_never_exceeds_the_true_divergence(seed, k, k_other, scale, decimals):
    """Data processing inequality, for lists of any length, flat and peaked, exact and as rounded as an API's."""
    generator = np.random.default_rng(seed)
    log_p, log_q = log_softmax(scale * generator.normal(size=(2, 30)))
    true = float(kl_divergence(log_p, log_q))

    assert 0 <= kl_lower_bound(top(log_q, k_other, decimals), top(log_p, k, decimals)) <= true * (1 + 1e-6) + 1e-6


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_a_longer_list_never_lowers_the_bound(seed, k):
    """Both sides list the same k tokens, then one more; up to the slack that rounding is given."""
    generator = np.random.default_rng(seed)
    log_p, log_q = log_softmax(generator.normal(size=(2, 31)))
    order = np.argsort(-log_p)
    lists = [[{int(token): float(side[token]) for token in order[:n]} for side in (log_q, log_p)] for n in (k, k + 1)]

    assert kl_lower_bound(*lists[1]) >= kl_lower_bound(*lists[0]) - 1e-4


def test_the_bound_by_hand():
    """0.9 ln(0.9 / 0.5) + 0.1 ln(0.1 / 0.5) = 0.5290 − 0.1609 = 0.3681."""
    expected = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)

    assert kl_lower_bound({7: math.log(0.5)}, {7: math.log(0.9)}) == pytest.approx(expected, abs=1e-5)


def test_without_its_tail_the_sum_would_be_negative():
    """A candidate that is more sure of the listed token: Σ over the list is no divergence."""
    candidate, reference = {7: math.log(0.9)}, {7: math.log(0.5)}

    assert 0.5 * math.log(0.5 / 0.9) < 0
    assert kl_lower_bound(candidate, reference) > 0.5


def test_a_candidate_whose_tail_is_rounded_away_proves_no_infinity():
    """An API rounds a logprob to 0: 0.9 ln 0.9 + 0.1 ln(0.1 / 1e-6) = 1.06, and not a division by zero."""
    assert kl_lower_bound({7: 0.0}, {7: math.log(0.9)}) == pytest.approx(0.9 * math.log(0.9) + 0.1 * math.log(1e5))


def test_all_tokens_listed_give_the_true_divergence():
    """An empty tail."""
    log_p, log_q = log_softmax(np.random.default_rng(0).normal(size=(2, 8)))

    assert kl_lower_bound(top(log_q, 8), top(log_p, 8)) == pytest.approx(float(kl_divergence(log_p, log_q)), rel=1e-9)


def test_positions_are_summed_up_with_the_share_in_the_tail():
    """Also in the form that responses carry: pairs of id and logprob."""
    position = ((1, math.log(0.7)), (2, math.log(0.2)))

    found = compare_top_logprobs([position] * 100, [dict(position)] * 100)

    assert (found.positions, found.kl_lower_bound.mean) == (100, 0)
    assert found.tail_share == pytest.approx(0.1)


def test_a_large_tail_is_said_to_prove_nothing():
    """Passing is not refuting."""
    found = assert_kl_not_above([{1: math.log(0.5)}] * 100, [{1: math.log(0.5)}] * 100, 0.1)

    assert not found.is_conclusive
    assert str(found).endswith(
        "50 % of the probability is in the tail, so that a small bound does not show a small divergence"
    )


def test_a_bound_above_the_limit_is_a_regression():
    """Sound, whatever is in the tail."""
    with pytest.raises(
        ModelRegression, match=r"^mean KL\(reference \|\| candidate\) is at least 0\.368 nats/token, al"
    ):
        assert_kl_not_above([{7: math.log(0.5)}] * 100, [{7: math.log(0.9)}] * 100, 0.3)
    with pytest.raises(ValueError, match=r"limit=0; expected nats a token above 0"):
        assert_kl_not_above([{7: 0.0}] * 100, [{7: 0.0}] * 100, 0)


def test_lists_of_different_length_and_short_ones_are_refused():
    """Nothing is cut."""
    with pytest.raises(InvalidComparison, match="positions expected 101 -> actual 100"):
        compare_top_logprobs([{1: 0.0}] * 100, [{1: 0.0}] * 101)
    with pytest.raises(InvalidComparison, match="99 positions, at least 100 are needed"):
        compare_top_logprobs([{1: 0.0}] * 99, [{1: 0.0}] * 99)


def test_tokens_are_known_by_id_not_by_text():
    """'▁true' and 'true' are both shown as 'true' and would overwrite each other."""
    with pytest.raises(TypeError, match="candidate: top logprobs by 'true'; expected token ids: different tokens can"):
        kl_lower_bound({"true": -0.1}, {1: -0.1})


@pytest.mark.parametrize(
    ("position", "message"),
    [
        ({1: 0.5}, r"reference: token 1 has the logprob 0\.5; expected a natural logarithm of at most 0"),
        ({1: float("nan")}, "token 1 has the logprob nan"),
        ({1: math.log(0.8), 2: math.log(0.8)}, r"probabilities of one position sum to 1\.6; expected at most 1"),
    ],
)
def test_what_is_no_distribution_is_refused(position, message):
    """Logits or base-10 logarithms handed over by mistake."""
    with pytest.raises(ValueError, match=message):
        kl_lower_bound({1: -1.0}, position)
