"""A tensor of any origin as NumPy arrays: one door for torch, NumPy and lists."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pytest_llmval.scoring.tensors.formats import dtype_name

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[Any]

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """One tensor on the CPU, in a form that loses nothing."""

    numbers: Array
    """Floats of every width as float64; integers and bools as they are; complex numbers as a last axis of two."""
    bits: Array
    """The stored bits as unsigned integers, in the shape of `numbers`."""
    dtype: str
    """Name without `torch.`; empty for lists and numbers, which have none."""
    device: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self.numbers.shape

    @property
    def is_integer(self) -> bool:
        """Whether the numbers are integers or bools."""
        return self.numbers.dtype.kind in "iub"

    @property
    def floats(self) -> npt.NDArray[np.float64]:
        """The numbers in float64; integers beyond 2⁵³ are rounded."""
        return self.numbers.astype(np.float64, copy=False)


def is_torch(value: object) -> bool:
    """Whether a value is a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_array(value: object) -> bool:
    """Whether a value is a tensor or array of numbers with a dtype, of torch, NumPy, JAX or the like."""
    return is_torch(value) or isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array__")


def are_equal(actual: Any, expected: Any) -> bool:
    """Whether two arrays of one dtype, shape and kind are equal and not empty, without a copy in float64."""
    if actual.dtype != expected.dtype or tuple(actual.shape) != tuple(expected.shape) or not all(actual.shape):
        return False
    if is_torch(actual) and is_torch(expected) and actual.device == expected.device and not actual.is_meta:
        import torch

        return torch.equal(actual, expected)
    return isinstance(actual, np.ndarray) and isinstance(expected, np.ndarray) and np.array_equal(actual, expected)


def values_of(value: object, path: str = "") -> Values:
    """The numbers of a tensor, an array, a number or nested lists of numbers.

    Raises:
        ValueError: If the tensor has no data (meta device) or no dense layout.
        TypeError: If it is none of these, or its dtype holds no numbers.
    """
    if is_torch(value):
        return _from_torch(value, path)
    array = np.asarray(value)
    if array.dtype.kind not in "biufc" and not dtype_name(array.dtype).startswith(("bfloat16", "float8")):
        msg = f"{_at(path)}{type(value).__name__} of dtype {array.dtype} holds no numbers; expected a tensor or numbers"
        raise TypeError(msg)
    return _from_numpy(array, dtype_name(array.dtype) if is_array(value) else "", "cpu")


def _from_torch(tensor: Any, path: str) -> Values:
    import torch

    if tensor.is_meta:
        msg = f"{_at(path)}the tensor is on the meta device and holds no numbers; load its weights first"
        raise ValueError(msg)
    dense = _dense(tensor.detach(), path).cpu().resolve_conj().resolve_neg().contiguous()
    name, device = dtype_name(tensor.dtype), str(tensor.device)
    if dense.dtype == torch.bfloat16 or name.startswith("float8"):
        bits = dense.view(torch.int16 if dense.dtype == torch.bfloat16 else torch.uint8).numpy()
        return Values(dense.to(torch.float64).numpy(), bits.view(_UNSIGNED[bits.itemsize]), name, device)
    try:
        return _from_numpy(dense.numpy(), name, device)
    except (TypeError, RuntimeError) as error:
        msg = f"{_at(path)}tensors of dtype {name} cannot be read as numbers; unpack or dequantise them first"
        raise TypeError(msg) from error


def _dense(tensor: torch.Tensor, path: str) -> torch.Tensor:
    import torch

    if hasattr(tensor, "full_tensor"):  # a DTensor: its shards are gathered
        tensor = tensor.full_tensor()
    if tensor.is_quantized:
        return tensor.dequantize()
    if tensor.is_nested:
        msg = f"{_at(path)}nested tensors have no one shape; compare their parts, or tensor.to_padded_tensor(0)"
        raise ValueError(msg)
    return tensor if tensor.layout == torch.strided else tensor.to_dense()


def _from_numpy(array: Array, name: str, device: str) -> Values:
    native = array.astype(array.dtype.newbyteorder("="), copy=False)  # bits are read as this machine has them
    stored: Array = np.ascontiguousarray(native).reshape(array.shape)
    if stored.dtype.kind == "c":
        stored = stored.reshape(-1).view(stored.real.dtype).reshape(*stored.shape, 2)
    wide = stored.dtype.kind == "f" and stored.dtype.itemsize not in _UNSIGNED  # long double
    bits = (stored.astype(np.float64) if wide else stored).view(_UNSIGNED[min(stored.dtype.itemsize, 8)])
    exact = stored.dtype.kind in "iub"
    return Values(stored if exact else stored.astype(np.float64), bits, "float64" if wide else name, device)


def _at(path: str) -> str:
    return f"{path}: " if path else ""
