"""What the weights of a faulty module say, and where they say nothing."""

from __future__ import annotations

import copy

import pytest
import torch

from pytest_llmval.scoring.tensors.layers.weight_hint import weight_hint


@pytest.fixture
def linear() -> torch.nn.Linear:
    """A square layer of random weights, seed 0, without a bias."""
    torch.manual_seed(0)
    return torch.nn.Linear(6, 6, bias=False)


def damaged(module: torch.nn.Linear, weight: torch.Tensor) -> torch.nn.Linear:
    """A copy with another weight."""
    copied = copy.deepcopy(module)
    copied.weight.data = weight.clone()
    return copied


def test_a_transform_is_recognised(linear):
    """Also where the reference is in a wider dtype: its rows are looked for as the candidate's dtype holds them."""
    narrow = damaged(linear, linear.weight.data[[1, 0, 2, 3, 4, 5]].bfloat16())

    assert weight_hint(narrow, linear) == "its weight looks rows permuted: 2 of 6 rows stand elsewhere"


def test_of_weights_that_are_not_finite_no_transform_is_claimed(linear):
    """Rows that moved together with a NaN: what the numbers beside it say is not looked at."""
    strange = linear.weight.data.clone()
    strange[0, 0] = torch.nan

    hint = weight_hint(damaged(linear, strange.flip(0)), damaged(linear, strange))

    assert hint == "its weight differs"


def test_a_weight_that_was_added(linear):
    """A bias, for example."""
    assert weight_hint(torch.nn.Linear(6, 6), linear) == "its weights have other names or shapes"
