"""Weights: equal by name, and what a wrong one looks like."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.tolerances import Tol
from pytest_llmval.scoring.tensors.weights import assert_weights_match, compare_weights

HEADS, HEAD_DIM, WIDTH = 4, 16, 24


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    """A k projection of 4 heads of 16 rows, a square matrix, a bias and an embedding."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"k": (HEADS * HEAD_DIM, WIDTH), "square": (32, 32), "bias": (48,), "embed": (20, 8)}
    return {name: torch.randn(*shape, generator=generator) for name, shape in shapes.items()}


def interleaved(weight: torch.Tensor) -> torch.Tensor:
    """Halves of each head to alternating rows, as between Llama's two layouts."""
    return weight.view(HEADS, 2, HEAD_DIM // 2, -1).transpose(1, 2).reshape(weight.shape)


def deinterleaved(weight: torch.Tensor) -> torch.Tensor:
    """The way back."""
    return weight.view(HEADS, HEAD_DIM // 2, 2, -1).transpose(1, 2).reshape(weight.shape)


def scaled_row(weight: torch.Tensor) -> torch.Tensor:
    """One row times 1.05."""
    changed = weight.clone()
    changed[3] *= 1.05
    return changed


def swapped_rows(weight: torch.Tensor) -> torch.Tensor:
    """Two rows of no common block."""
    changed = weight.clone()
    changed[[3, 8]] = weight[[8, 3]]
    return changed


@pytest.mark.parametrize(
    ("name", "transform", "words"),
    [
        ("square", lambda w: w.T.contiguous(), "transposed"),
        ("k", lambda w: w.T.contiguous(), "transposed"),
        (
            "k",
            lambda w: w.roll(HEAD_DIM, 0),
            "heads permuted: blocks of 16 rows moved (3 -> 0, 0 -> 1, 1 -> 2, 2 -> 3)",
        ),
        ("square", lambda w: w.roll(8, 1), "heads permuted: blocks of 8 columns moved"),
        ("k", interleaved, "rotary halves interleaved: within heads of 16 rows, halves became alternating rows"),
        ("k", deinterleaved, "rotary halves de-interleaved: within heads of 16 rows"),
        ("k", lambda w: w * 1.01, "scaled by 1.01"),
        ("bias", lambda w: -w, "scaled by -1"),
        ("k", scaled_row, "row 3 (1.56 % of rows) scaled by 1.05"),
        ("embed", swapped_rows, "rows permuted: 2 of 20 rows stand elsewhere"),
        ("square", torch.zeros_like, "all zeros"),
        ("embed", lambda w: w.reshape(8, 20), "reshaped: the same numbers in the same order"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_suspicious_transform_is_named(weights, name, transform, words, dtype):
    """Each by itself, in float32 and after rounding to bfloat16."""
    expected = {each: weight.to(dtype) for each, weight in weights.items()}
    actual = expected | {name: transform(weights[name]).to(dtype)}

    with pytest.raises(ModelRegression) as raised:
        assert_weights_match(actual, expected)

    headline = str(raised.value).splitlines()[0]
    assert headline.startswith(f"1 of 4 tensors fail (weights equal), worst '{name}': ")
    digits = words if dtype == torch.float32 or "scaled" not in words else words.rpartition(" ")[0]
    assert f"looks {digits}" in headline


def test_a_change_without_a_pattern_has_no_hint(weights):
    """No transform is made up for noise."""
    actual = weights | {"k": weights["k"] + 0.1 * torch.randn(weights["k"].shape)}

    assert "looks" not in str(compare_weights(actual, weights))


def test_two_swapped_weights_are_named_by_their_home(weights):
    """Layers exchanged by a conversion."""
    expected = weights | {"layers.0.k": weights["k"], "layers.1.k": weights["k"] ** 2}
    actual = weights | {"layers.0.k": weights["k"] ** 2, "layers.1.k": weights["k"].clone()}

    text = str(compare_weights(actual, expected, tied=False))

    assert "looks like the expected 'layers.1.k'" in text


def test_equal_models_match(weights):
    """Torch, NumPy and modules alike."""
    module = torch.nn.Linear(4, 3)

    assert assert_weights_match(weights, {name: weight.clone() for name, weight in weights.items()}).passed
    assert assert_weights_match(weights, {name: weight.numpy().copy() for name, weight in weights.items()}).passed
    assert assert_weights_match(module, module.state_dict()).passed


def test_missing_and_unexpected_weights_are_named(weights):
    """A name map brings them together."""
    actual = {f"model.{name}": weight for name, weight in weights.items()}

    text = str(compare_weights(actual, weights))

    assert "missing, expected float32 of shape (64, 24)" in text
    assert "model.k" in text
    assert assert_weights_match(actual, weights, name_map=lambda name: name.removeprefix("model.")).passed
    assert assert_weights_match(actual, weights, name_map={f"model.{name}": name for name in weights}).passed


def test_a_name_map_that_merges_two_weights_is_refused(weights):
    """One would be lost in silence."""
    with pytest.raises(
        ValueError, match="name_map: two weights of the actual side become 'k'; expected different names"
    ):
        compare_weights(weights, weights, name_map={"square": "k"})


def test_ignored_weights_are_left_out_and_a_pattern_must_match(weights):
    """A pattern that matches nothing hides a typing error."""
    actual = weights | {"k": weights["k"] + 1}

    assert assert_weights_match(actual, weights, ignore=["k"]).passed
    with pytest.raises(ValueError, match=r"ignore: 'q\*' matches no weight"):
        assert_weights_match(actual, weights, ignore="q*")


def test_weights_tied_on_one_side_only_are_reported(weights):
    """Equal numbers are not enough: training one would no longer train the other."""
    tied = weights | {"head": weights["embed"]}
    untied = weights | {"head": weights["embed"].clone()}

    with pytest.raises(ModelRegression, match="tied weights embed, head: expected one storage -> actual separate"):
        assert_weights_match(untied, tied)
    assert "expected separate -> actual one storage" in str(compare_weights(tied, untied))
    assert assert_weights_match(untied, tied, tied=False).passed


def test_a_tolerance_allows_a_rounding(weights):
    """bfloat16 against float32."""
    rounded = {name: weight.bfloat16() for name, weight in weights.items()}

    assert assert_weights_match(rounded, weights, tol=Tol.ulp(1), check_dtype=False).passed
    with pytest.raises(ModelRegression, match="dtype expected float32 -> actual bfloat16"):
        assert_weights_match(rounded, weights)


def test_no_weights_are_no_match():
    """Two empty state dicts."""
    with pytest.raises(InvalidComparison, match="nothing was compared"):
        assert_weights_match({}, {})


def test_nan_weights_never_match(weights):
    """Some suites drop tensors with NaN from the comparison."""
    broken = weights | {"k": torch.full_like(weights["k"], torch.nan)}

    assert not compare_weights(broken, broken).passed
    assert "NaN or infinite on one side only" in str(compare_weights(broken, weights))


def test_numpy_views_that_differ_in_shape_are_not_tied():
    """A slice that starts where its base does."""
    base = np.arange(6.0) + 1
    side = {"base": base, "head": base[:3]}

    assert compare_weights({"base": base.copy(), "head": base[:3].copy()}, side).passed
