"""Structure: names, shapes and dtypes of nested values, and what may stand in them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.tensors.closeness import compare_tensors
from pytest_llmval.scoring.tensors.nesting import leaves_of
from pytest_llmval.scoring.tensors.structure import assert_same_structure, compare_structure


class Entry(NamedTuple):
    """A named tuple."""

    key: Any
    value: Any


@dataclass
class Output:
    """As a model of transformers returns it."""

    logits: Any
    cache: Any = None


def test_every_difference_is_named():
    """Missing, unexpected, shape and dtype, in one message."""
    expected = {"a": np.ones((2, 3)), "b": np.ones(2), "c": np.ones(2)}
    actual = {"a": np.ones((3, 2), dtype=np.float32), "b": np.ones(2), "d": None}

    with pytest.raises(ModelRegression) as raised:
        assert_same_structure(actual, expected)

    assert str(raised.value).splitlines() == [
        "structures differ in 4 places (3 leaves expected)",
        "  a: shape expected (2, 3) -> actual (3, 2)",
        "  a: dtype expected float64 -> actual float32",
        "  c: missing, expected float64 of shape (2,)",
        "  d: unexpected None",
    ]


def test_nothing_is_broadcast():
    """NumPy's assert_allclose takes (8,) against a number."""
    assert not compare_structure(np.ones(8), np.ones((8, 1))).passed
    assert not compare_structure(np.ones(8), 1.0).passed
    assert "shape expected () -> actual (8,)" in str(compare_tensors(np.ones(8), 1.0))


def test_containers_are_walked_by_path():
    """Mappings, lists, named tuples and dataclasses; a list of numbers is one tensor."""
    value = Output(OrderedDict(x=[Entry(np.ones(1), [[1, 2], [3, 4]])]), cache=("text", None))

    assert list(leaves_of(value)) == ["logits.x[0].key", "logits.x[0].value", "cache[0]", "cache[1]"]


def test_outputs_of_transformers_are_walked():
    """A model output is a mapping, and a cache is its layers' keys and values."""
    transformers = pytest.importorskip(
        "transformers", reason="needs transformers: pip install pytest-llmval[transformers]"
    )
    cache = transformers.DynamicCache()
    cache.update(torch.ones(1, 2, 3, 4), torch.zeros(1, 2, 3, 4), 0)
    output = transformers.modeling_outputs.CausalLMOutputWithPast(
        logits=torch.ones(1, 3, 5), past_key_values=cache, hidden_states=(torch.ones(1, 3, 4),)
    )

    paths = list(leaves_of(output))

    assert paths == [
        "logits",
        "past_key_values.layers[0].keys",
        "past_key_values.layers[0].values",
        "hidden_states[0]",
    ]
    assert compare_tensors(output, output).passed


def test_modules_are_their_state_dict():
    """Parameters and buffers by name."""
    assert list(leaves_of(torch.nn.Linear(2, 3))) == ["weight", "bias"]


def test_torch_numpy_and_lists_are_compared_with_each_other():
    """A list has no dtype to disagree with."""
    values = [[1.0, 2.0], [3.0, 4.0]]

    assert compare_tensors(torch.tensor(values), np.array(values, dtype=np.float32)).passed
    assert compare_tensors(values, torch.tensor(values)).passed
    assert not compare_tensors(torch.tensor(values), np.array(values)).passed
    assert compare_tensors(torch.tensor(values), np.array(values), check_dtype=False).passed


def test_texts_and_none_are_compared_by_value():
    """They are no tensors, and a None where a tensor was is a difference."""
    assert compare_structure(["a", None], ["a", None]).passed
    assert "[0]: expected 'a' -> actual 'b'" in str(compare_structure(["b"], ["a"]))
    assert "[0]: expected float64 of shape (1,) -> actual None" in str(compare_structure([None], [np.ones(1)]))


def test_meta_tensors_have_a_structure_but_no_numbers():
    """The structure of a model can be checked before its weights are loaded."""
    meta = {"w": torch.empty(2, 3, device="meta")}

    assert compare_structure(meta, {"w": torch.ones(2, 3)}).passed
    with pytest.raises(ValueError, match="w: the tensor is on the meta device and holds no numbers; load its weights"):
        compare_tensors(meta, {"w": torch.ones(2, 3)})


def test_the_device_counts_only_when_asked():
    """CPU and GPU results are what one wants to compare."""
    meta, here = torch.ones(2, device="meta"), torch.ones(2)

    assert compare_structure(meta, here).passed
    assert "device expected cpu -> actual meta" in str(compare_structure(meta, here, check_device=True))


def test_empty_structures_do_not_agree():
    """Nothing was looked at."""
    with pytest.raises(ModelRegression, match="structures cannot be compared: the expected side is empty"):
        assert_same_structure({}, {})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "the value is a object; expected a tensor, numbers, text, None, or a mapping"),
        ({"a": {1, 2}}, r"a is a set; expected a tensor"),
        ([[1.0], [1.0, 2.0], iter(())], r"\[2\] is a tuple_iterator"),
    ],
)
def test_what_cannot_be_compared_is_named(value, message):
    """With its path and its type."""
    with pytest.raises(TypeError, match=message):
        compare_tensors(value, value)


def test_a_container_that_contains_itself_is_refused():
    """It would be walked forever."""
    value = {}
    value["again"] = value

    with pytest.raises(TypeError, match="again contains itself"):
        leaves_of(value)


def test_arrays_without_numbers_are_refused():
    """Text in an array."""
    with pytest.raises(TypeError, match="ndarray of dtype <U1 holds no numbers"):
        compare_tensors(np.array(["a"]), np.array(["a"]))


def test_sparse_tensors_are_compared_densely_and_nested_ones_refused():
    """A nested tensor has no one shape."""
    dense = torch.tensor([[0.0, 1.0], [2.0, 0.0]])

    assert compare_tensors(dense.to_sparse(), dense).passed
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
    with pytest.raises((ValueError, TypeError), match="nested"):
        compare_tensors(nested, nested)


def test_an_unknown_option_and_a_mask_that_does_not_fit_are_named():
    """Typing errors must not be swallowed."""
    with pytest.raises(TypeError, match="unknown option 'rtol'; expected one of allow_empty, axes"):
        compare_tensors([1.0], [1.0], rtol=1e-3)
    with pytest.raises(
        ValueError, match=r"mask of shape \(3,\) for a tensor of shape \(2, 3\); expected that shape or"
    ):
        compare_tensors(np.ones((2, 3)), np.ones((2, 3)), mask=np.ones(3))


def test_parts_with_one_path_are_refused():
    """Else one of them would be overlooked."""
    with pytest.raises(ValueError, match=r"two parts of the value are called 'a\.b'"):
        compare_structure({"a.b": 1.0, "a": {"b": 2.0}}, {"a.b": 1.0})
