"""Checks of well-known suites that pass whatever the model does, and ours on the same numbers.

Each test first shows that their rule passes, then that ours fails. Their rules are quoted by file; where the suite is
not installed here, its rule is written out. V2 is of the same kind as V1 and V3 to V10 and stands here with them.
"""

from __future__ import annotations

import math
from functools import reduce
from operator import xor

import numpy as np
import pytest
import torch

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.closeness import assert_bitwise_equal, assert_tensors_close
from pytest_llmval.scoring.tensors.control import assert_within_control
from pytest_llmval.scoring.tensors.divergence import assert_no_flips
from pytest_llmval.scoring.tensors.logits import assert_kl_below, compare_logits
from pytest_llmval.scoring.tensors.norms import assert_cosine, assert_rel_l2
from pytest_llmval.scoring.tensors.structure import assert_same_structure
from pytest_llmval.scoring.tensors.tolerances import Tol
from pytest_llmval.scoring.tensors.weights import assert_weights_match


def test_v1_a_wrong_padded_row_hides_among_right_ones():
    """Transformers' eager-vs-SDPA test: batch of 7 with padding in the last row, passes when 80 % of rows match."""
    reference = np.random.default_rng(0).normal(size=(7, 5, 16))
    control = reference + 1e-3 * np.random.default_rng(1).normal(size=reference.shape)
    candidate = control.copy()
    candidate[-1] = 100.0

    rows = [np.allclose(*pair, atol=1e-2, rtol=1e-2) for pair in zip(candidate, control, strict=True)]

    assert np.mean(rows) >= 0.8
    with pytest.raises(ModelRegression, match="of 560 elements beyond"):
        assert_tensors_close(candidate, control, tol=Tol(rtol=1e-2, atol=1e-2))
    with pytest.raises(ModelRegression, match="at batch 6, allowed"):
        assert_within_control(candidate, reference, control, per_axis="batch", axes=("batch", "pos", "channel"))


def test_v1_a_tolerance_from_the_largest_output_forgives_all_others():
    """Its tolerance in half precision is at least 3 % of the largest output: one outlier channel pays for the rest."""
    reference = np.random.default_rng(0).normal(size=(4, 64))
    reference[:, 0] = 1000.0
    candidate = np.where(reference == 1000.0, reference, -reference)

    assert np.allclose(candidate, reference, rtol=0, atol=max(1e-2, 3e-2 * np.abs(reference).max()))
    with pytest.raises(ModelRegression, match="of 256 elements beyond"):
        assert_tensors_close(candidate, reference, tol=Tol.torch("bfloat16"))


def test_v2_nan_dropped_from_each_side_by_itself():
    """Transformers' `test_determinism` strips NaN from both outputs before it subtracts."""
    first, second = np.array([np.nan, 1.0, 2.0]), np.array([1.0, 2.0, np.nan])

    assert np.max(np.abs(first[~np.isnan(first)] - second[~np.isnan(second)])) <= 1e-5
    with pytest.raises(ModelRegression, match="NaN or infinite on one side only"):
        assert_bitwise_equal(second, first, equal_nan=True)


def test_v3_top_ten_that_are_never_compared(logits):
    """llama.cpp's `quick_logits_check` says "Top 10 predictions don't match" but looks at files and shapes only."""
    candidate = -logits

    assert candidate.shape == logits.shape
    with pytest.raises(ModelRegression, match=r"mean KL\(reference \|\| candidate\)"):
        assert_kl_below(candidate, logits, 0.1)
    assert compare_logits(candidate, logits).top_k_overlap.mean < 0.1
    with pytest.raises(ModelRegression, match="FLIP"):
        assert_no_flips(candidate, logits)


def test_v3_a_reference_without_variance():
    """llama.cpp's `check-nmse.py` gives the plain error when the reference has none: small numbers always pass."""
    reference, candidate = np.zeros(8), np.full(8, 0.05)

    nmse = float(np.mean((reference - candidate) ** 2))  # its fallback, against its bar of 1e-2

    assert nmse <= 1e-2
    with pytest.raises(ModelRegression, match="rel-L2 inf, allowed"):
        assert_rel_l2(candidate, reference, 0.1)
    with pytest.raises(ModelRegression, match="cosine 0, at least"):
        assert_cosine(candidate, reference, 0.9)


def check_logprobs_close(outputs, references) -> None:
    """VLLM's rule (tests/models/utils.py): at the first token that differs, each must be in the other's top 5."""
    for (tokens, tops), (others, other_tops) in zip(outputs, references, strict=False):
        for token, other, top, other_top in zip(tokens, others, tops, other_tops, strict=False):
            if token != other:
                assert token in other_top
                assert other in top
                break


def test_v4_logprobs_that_are_looked_at_only_where_tokens_differ(logits):
    """Greedy tokens agree everywhere, and all else may be wrong: vLLM compares nothing then."""
    candidate = 5 * logits

    def greedy(z):
        return [(list(z.argmax(-1)), [set(np.argsort(-row)[:5]) for row in z])]

    check_logprobs_close(greedy(candidate), greedy(logits))
    with pytest.raises(ModelRegression, match=r"allowed 0\.01"):
        assert_kl_below(candidate, logits, 0.01)
    assert compare_logits(candidate, logits).drift.temperature == pytest.approx(0.2)


def test_v4_everything_after_the_first_difference_is_dropped(logits):
    """One tie at the start, nonsense after it: their loop has ended."""
    candidate = logits.copy()
    first, second = np.argsort(-logits[0])[:2]
    candidate[0, second] = logits[0, first] + 1e-12
    candidate[1:] = -logits[1:]

    def greedy(z):
        return [(list(z.argmax(-1)), [set(np.argsort(-row)[:5]) for row in z])]

    check_logprobs_close(greedy(candidate), greedy(logits))
    with pytest.raises(ModelRegression, match=r"\d+ FLIP"):
        assert_no_flips(candidate, logits)


def test_v4_outputs_of_unequal_length_are_cut_to_the_shorter(logits):
    """zip() drops the rest: a candidate that stops after one token agrees."""
    rows = [set(np.argsort(-row)[:5]) for row in logits]

    check_logprobs_close([([1], rows)], [([1] * 120, rows)])
    with pytest.raises(InvalidComparison, match="nothing is truncated"):
        compare_logits(logits[:1], logits)


def test_v6_a_tolerance_relative_to_the_new_values():
    """pytest-arraydiff calls `assert_allclose(reference, new)`: the larger the new values, the more is allowed."""
    reference, new = np.array([1.0]), np.array([2.0])

    np.testing.assert_allclose(reference, new, rtol=0.5)
    with pytest.raises(ModelRegression, match=r"1 of 1 elements beyond rtol 0\.5"):
        assert_tensors_close(new, reference, tol=Tol(rtol=0.5))


def test_v6_six_digits_of_text():
    """pytest-arraydiff writes '%g': what a float32 can tell apart is equal afterwards."""
    reference, new = np.float32([1.0]), np.float32([1.0 + 2e-7])

    assert f"{reference[0]:g}" == f"{new[0]:g}"
    with pytest.raises(ModelRegression, match="none is further than 2 ULP of float32"):
        assert_bitwise_equal(new, reference)


def test_v6_no_reference_at_all():
    """Without `--arraydiff` a marked test passes though there is no reference file."""
    with pytest.raises(ModelRegression, match="expected None -> actual float64"):
        assert_tensors_close(np.ones(3), None)
    with pytest.raises(ModelRegression):
        assert_same_structure({"logits": np.ones(3)}, {})


def test_v7_nan_is_equal_and_dtypes_do_not_matter():
    """pytest-regressions: `equal_nan=True` is fixed, and int8 results match a float64 golden."""
    golden, result = np.array([1.0, np.nan]), np.array([1.0, np.nan])

    assert np.isclose(result, golden, equal_nan=True).all()
    with pytest.raises(ModelRegression, match="NaN or infinite on one side only"):
        assert_tensors_close(result, golden)
    assert np.isclose(np.int8([1, 2]), np.float64([1, 2])).all()
    with pytest.raises(ModelRegression, match="dtype expected float64 -> actual int8"):
        assert_tensors_close(np.int8([1, 2]), np.float64([1, 2]))


def test_v7_an_absolute_tolerance_larger_than_the_values():
    """The default atol of np.isclose is 1e-8: of numbers that small nothing is compared."""
    golden = np.array([1e-9, 2e-9])

    assert np.isclose(-golden, golden).all()
    with pytest.raises(ModelRegression, match="2 of 2 elements beyond"):
        assert_tensors_close(-golden, golden)


def test_v8_numpy_passes_nan_broadcasts_and_empty_arrays():
    """`numpy.testing.assert_allclose` on all three."""
    nan, ones, empty = np.full(3, np.nan), np.ones(8), np.empty(0)

    np.testing.assert_allclose(nan, nan)
    with pytest.raises(ModelRegression):
        assert_tensors_close(nan, nan)
    np.testing.assert_allclose(ones, 1.0)
    with pytest.raises(ModelRegression, match=r"shape expected \(\) -> actual \(8,\)"):
        assert_tensors_close(ones, 1.0)
    np.testing.assert_allclose(empty, empty)
    with pytest.raises(InvalidComparison, match="nothing was compared"):
        assert_tensors_close(empty, empty)


@pytest.mark.parametrize("nothing", [[], {}, torch.empty(0), {"a": torch.empty(0, 4)}])
def test_v8_torch_passes_what_is_empty(nothing):
    """`torch.testing.assert_close` on nothing, also in containers."""
    torch.testing.assert_close(nothing, nothing)
    with pytest.raises(InvalidComparison, match="nothing was compared"):
        assert_tensors_close(nothing, nothing)


def test_v9_either_of_two_tolerances():
    """Polygraphy's `elemwise` passes an element that is within atol OR within rtol."""
    expected, actual = np.array([1e-6, 1e6]), np.array([-9e-6, 1e6 + 9])

    difference = np.abs(actual - expected)
    assert np.all((difference <= 1e-5) | (difference / np.abs(expected) <= 1e-5))
    with pytest.raises(ModelRegression, match="1 of 2 elements beyond"):
        assert_tensors_close(actual, expected, tol=Tol.auto("float32"))
    with pytest.raises(ValueError, match="no other part"):
        Tol(atol=1e-5, max_ulp=4)


def test_v9_weights_with_nan_are_left_out():
    """TransformerLens' weight test filters tensors with NaN and Inf out before it compares the others."""
    expected = {"a": np.ones(4), "b": np.ones(4)}
    actual = expected | {"b": np.full(4, np.nan)}

    kept = [name for name in actual if np.isfinite(actual[name]).all()]
    assert all(np.allclose(actual[name], expected[name]) for name in kept)
    with pytest.raises(ModelRegression, match="worst 'b': 4 elements NaN or infinite on one side only"):
        assert_weights_match(actual, expected, tied=False)


def test_v9_half_of_the_value_as_tolerance():
    """TransformerLens' forward-hook tests: atol 0.5, bfloat16 0.3, and wider with depth."""
    reference = 0.1 * np.random.default_rng(0).normal(size=(64, 64))
    control = reference + 1e-4 * np.random.default_rng(1).normal(size=reference.shape)
    candidate = np.zeros_like(reference)

    assert np.allclose(candidate, reference, atol=0.5)
    with pytest.raises(ModelRegression, match="allowed"):
        assert_within_control(candidate, reference, control)


def test_v10_hashes_that_are_blind_to_order():
    """Torch's DebugMode hashes by L1 norm or XOR of the bits: swapped heads have the same hash."""
    expected = torch.randn(4, 16, 8, generator=torch.Generator().manual_seed(0))
    actual = expected.roll(1, 0)

    assert torch.equal(actual.abs().sum(0).sum(), expected.abs().sum(0).sum()) or math.isclose(
        float(actual.double().abs().sum()), float(expected.double().abs().sum()), rel_tol=1e-15
    )
    assert reduce(xor, actual.view(torch.int32).ravel().tolist()) == reduce(
        xor, expected.view(torch.int32).ravel().tolist()
    )
    with pytest.raises(ModelRegression, match="512 of 512 elements differ"):
        assert_bitwise_equal(actual, expected)
    flat = {"k_proj": expected.reshape(64, 8)}
    with pytest.raises(ModelRegression, match="heads permuted: blocks of 16 rows moved"):
        assert_weights_match({"k_proj": actual.reshape(64, 8)}, flat)


def test_v10_tolerances_that_grow_with_the_size():
    """Jax's `_assert_numpy_close` multiplies rtol and atol by the number of elements."""
    expected = np.ones(10_000)
    actual = expected * 1.009

    np.testing.assert_allclose(actual, expected, rtol=1e-6 * actual.size, atol=1e-6 * actual.size)
    with pytest.raises(ModelRegression, match="10000 of 10000 elements beyond"):
        assert_tensors_close(actual, expected, tol=Tol(rtol=1e-6, atol=1e-6))


def test_v10_everything_skipped():
    """Sglang's comparator allows every tensor to be skipped by default: names that do not meet are no failure."""
    with pytest.raises(ModelRegression, match="2 of 2 tensors fail"):
        assert_tensors_close({"layer_0": np.ones(2)}, {"layers.0": np.ones(2)})
    with pytest.raises(InvalidComparison, match="the mask leaves no element, so nothing was compared"):
        assert_tensors_close(np.ones(4), np.zeros(4), mask=np.zeros(4))
