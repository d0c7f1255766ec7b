"""Interface: what a model takes and gives, as Triton describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KINDS = {"BYTES": str, "BOOL": bool, "FP32": float, "FP64": float}
"""What JSON has for a datatype; whole numbers for all others that can be sent."""


@dataclass(frozen=True, slots=True)
class Field:
    """An input."""

    name: str
    datatype: str
    """As the protocol calls it: `BYTES`, `INT32`, `FP32`, …"""
    dims: tuple[int, ...]
    """Size of each dimension, −1 for any; 1 for that of the batch, since requests are sent alone."""
    is_required: bool = True

    def values(self, given: object) -> list[Any]:
        """One value or several as the datatype wants them."""
        several = given if isinstance(given, list) else [given]
        return [KINDS.get(self.datatype, int)(each) for each in several]

    def shape(self, count: int) -> list[int]:
        """The shape of so many values: they are put into the last dimension that has no size of its own.

        >>> Field("stop_words", "BYTES", (1, -1)).shape(3), Field("seed", "UINT64", (1,)).shape(1)
        ([1, 3], [1])
        """
        free = [at for at, size in enumerate(self.dims) if size < 0]
        return [size if size >= 0 else count if at == free[-1] else 1 for at, size in enumerate(self.dims)]


@dataclass(frozen=True, slots=True)
class Interface:
    """What a model takes and gives."""

    name: str
    inputs: Mapping[str, Field]
    outputs: frozenset[str]
    is_decoupled: bool
    """Whether it answers a request as often as it likes, so that there are pieces; else exactly once."""

    def first_input(self, names: Iterable[str]) -> Field | None:
        """The first of several names that an input has."""
        return next((self.inputs[name] for name in names if name in self.inputs), None)

    def listed(self) -> str:
        """Its inputs and outputs, for messages."""
        return f"its inputs are {_listed(self.inputs)}, its outputs {_listed(self.outputs)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"


def interface_of(config: Mapping[str, Any]) -> Interface:
    """The interface that a model configuration describes, as JSON or as protobuf's JSON, where numbers are texts.

    Raises:
        ServerError: If it describes none.

    Source:
        Triton's model configuration extension; unlike the metadata it says which inputs are optional.
    """
    try:
        batch = (1,) if int(config.get("max_batch_size", 0)) > 0 else ()
        fields = [_field(entry, batch) for entry in config["input"]]
        outputs = frozenset(str(entry["name"]) for entry in config["output"])
        is_decoupled = bool((config.get("model_transaction_policy") or {}).get("decoupled"))
        return Interface(config["name"], {field.name: field for field in fields}, outputs, is_decoupled)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"the model's configuration cannot be read ({type(error).__name__}: {error}): {str(config)[:200]}"
        raise ServerError(msg) from error


def _field(entry: Mapping[str, Any], batch: tuple[int, ...]) -> Field:
    datatype = entry["data_type"].removeprefix("TYPE_").replace("STRING", "BYTES")
    dims = (*batch, *map(int, entry["dims"]))
    return Field(entry["name"], datatype, dims, is_required=not entry.get("optional", False))
