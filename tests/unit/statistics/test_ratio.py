"""The weighted mean: a corpus loss, whose interval comes from documents."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.statistics.differences.clustered import clustered_interval
from pytest_llmval.statistics.differences.paired import paired_t_interval
from pytest_llmval.statistics.differences.ratio import weighted_interval, weighted_mean

VALUES = st.lists(st.floats(-5, 5), min_size=2, max_size=12)


def matrix_degrees(shares):
    """Bell and McCaffrey's degrees from the matrix B itself."""
    residuals = np.eye(shares.size) - np.outer(np.ones(shares.size), shares)
    form = residuals.T @ np.diag((shares / (1 - shares)) ** 2) @ residuals
    return np.trace(form) ** 2 / np.trace(form @ form)


def jackknife_around_the_mean(values, weights):
    """√((G − 1)/G Σ (δ₍₎ − δ)²), each δ₍₎ computed anew without one unit."""
    whole = np.average(values, weights=weights)
    left = [np.average(np.delete(values, at), weights=np.delete(weights, at)) for at in range(len(values))]
    return math.sqrt((len(values) - 1) / len(values) * sum((each - whole) ** 2 for each in left))


def test_two_lines_of_arithmetic():
    """Losses 1 and 4 over 300 and 100 tokens: (300 + 400)/400 = 1.75, not their mean 2.5."""
    assert weighted_mean([1.0, 4.0], [300, 100]).value == 1.75


@given(VALUES)
def test_equal_weights_give_students_interval(values):
    """Nothing is new where all documents are equally long."""
    ours, students = weighted_interval(values, [7.0] * len(values)), paired_t_interval(values)

    assert (ours.low, ours.high) == pytest.approx((students.low, students.high), abs=1e-7)


def test_equal_weights_in_equal_clusters_give_the_clustered_interval():
    """CR1 and the jackknife are one for clusters of one size."""
    values, clusters = [0.1, 0.3, -0.2, 0.0, 0.5, 0.4, 0.2, 0.1], list("aabbccdd")

    ours, theirs = weighted_interval(values, [3] * 8, clusters), clustered_interval(values, clusters)

    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("seed", range(4))
def test_unequal_weights_against_the_definitions(seed):
    """The error is the jackknife's, the degrees are those of the matrix, computed without forming either."""
    random = np.random.default_rng(seed)
    values, weights = random.normal(size=9), random.lognormal(sigma=1.2, size=9)

    found = weighted_mean(values.tolist(), weights.tolist())

    assert found.value == pytest.approx(np.average(values, weights=weights))
    assert found.standard_error == pytest.approx(jackknife_around_the_mean(values, weights))
    assert found.degrees == pytest.approx(matrix_degrees(weights / weights.sum()))


@given(VALUES, st.floats(0.1, 1000))
def test_the_unit_of_weights_is_of_no_account(values, factor):
    """Tokens or thousands of tokens."""
    weights = [float(place + 1) for place in range(len(values))]

    one, other = weighted_mean(values, weights), weighted_mean(values, [factor * each for each in weights])

    assert one.standard_error == pytest.approx(other.standard_error, abs=1e-9)
    assert one.degrees == pytest.approx(other.degrees)


def test_a_document_that_outweighs_all_others_rests_on_itself():
    """With 99 % of the tokens its loss is the mean, but no evidence about other documents: about one degree is left."""
    values, weights = [0.0] + [0.1, 0.2] * 10, [9900] + [5] * 20

    found = weighted_mean(values, weights)

    assert found.degrees == pytest.approx(1, abs=0.01)
    assert weighted_interval(values, weights).high > 0.1


def test_coverage_with_documents_of_very_different_length():
    """2000 corpora of 12 documents, lognormal lengths: 90 % intervals miss in 3 to 12 %, rather too rarely.

    The linearised error with a normal quantile, the positive control, misses twice as often as it says.
    """
    random = np.random.default_rng(3)
    missed = naive = 0
    for _ in range(2000):
        values, weights = random.normal(size=12), random.lognormal(sigma=1.0, size=12)
        ours = weighted_interval(values.tolist(), weights.tolist())
        missed += not ours.low <= 0 <= ours.high
        mean, shares = np.average(values, weights=weights), weights / weights.sum()
        error = math.sqrt(float(np.sum((shares * (values - mean)) ** 2)))
        naive += abs(mean) > 1.6449 * error

    assert 0.03 <= missed / 2000 <= 0.12
    assert naive / 2000 > 0.15


def test_documents_without_tokens_count_for_nothing():
    """An empty text neither widens nor narrows."""
    with_empty = weighted_mean([0.1, 0.4, 9.0, 0.2], [10, 30, 0, 20])

    assert with_empty == weighted_mean([0.1, 0.4, 0.2], [10, 30, 20])


@pytest.mark.parametrize(
    ("values", "weights", "message"),
    [
        ([1.0, 2.0], [1.0], r"2 values, 1 weights; expected one weight a value, finite and 0 or more"),
        ([1.0, 2.0], [1.0, -1.0], r"2 values, 2 weights; expected one weight a value, finite and 0 or more"),
        ([1.0], [5.0], r"1 unit that weighs anything; the spread between units needs at least 2"),
        ([1.0, 2.0], [5.0, 0.0], r"1 unit that weighs anything; the spread between units needs at least 2"),
    ],
)
def test_columns_that_give_no_interval(values, weights, message):
    """The message says what would."""
    with pytest.raises(ValueError, match=message):
        weighted_mean(values, weights)


def test_tokens_are_not_independent():
    """Documents differ: the error by tokens is an order of magnitude too small (numerics §4, e13: ten times)."""
    random = np.random.default_rng(5)
    lengths = random.integers(200, 2000, 100)
    tokens = [random.normal(level, 1.2, size) for level, size in zip(random.normal(2, 0.6, 100), lengths, strict=True)]
    by_document = weighted_mean([each.mean() for each in tokens], lengths.tolist()).standard_error
    everything = np.concatenate(tokens)
    by_token = everything.std() / math.sqrt(everything.size)

    assert by_document / by_token == pytest.approx(14, abs=4)


def test_the_mean_of_perplexities_is_another_number():
    """Short documents are harder: the mean of documents lies above the corpus (numerics §4, e13: 8.26, 7.32)."""
    losses, lengths = [1.7, 1.9, 2.1, 2.6], [4000, 3000, 800, 200]

    corpus = math.exp(weighted_mean(losses, lengths).value)

    assert corpus == pytest.approx(math.exp((1.7 * 4000 + 1.9 * 3000 + 2.1 * 800 + 2.6 * 200) / 8000))
    assert sum(map(math.exp, losses)) / 4 > 1.2 * corpus
