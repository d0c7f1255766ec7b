"""What a golden file holds of a value: tensors in the form of a tier, with their noise floor, and who wrote them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.tensors.formats import format_of
from pytest_llmval.scoring.tensors.golden.encoding import native_array, numbers_of
from pytest_llmval.scoring.tensors.golden.environment import Facts, digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmval.scoring.tensors.arrays import Array
    from pytest_llmval.scoring.tensors.formats import Floats
    from pytest_llmval.scoring.tensors.golden.container import Part

EXACT, HALF, LOGITS, SKETCH = "exact", "half", "logits", "sketch"


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """One tensor of a golden. It has shape and dtype as a tensor has, so that structure is compared in one way."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    """Empty for numbers and lists of them, which agree with every dtype."""
    held: str
    """The dtype that the bits of its numbers have: that of the tensor, or float64 and the like for a list."""
    encoding: str
    """`exact`, `half`, `logits` or `sketch`."""
    facts: Mapping[str, Any]
    """What the encoding needs besides its parts, JSON values only; `noise` is the floor in rel-L2."""
    parts: Mapping[str, Part]

    @property
    def noise(self) -> float:
        """Relative L2 error that storage itself makes."""
        return float(self.facts.get("noise", 0.0))

    @property
    def is_sketch(self) -> bool:
        """Whether the numbers themselves are not kept."""
        return self.encoding == SKETCH

    @property
    def is_integer(self) -> bool:
        """Whether its numbers are integers or bools."""
        return format_of(self.held).is_integer

    def numbers(self) -> Array:
        """All of its numbers, as `values_of` gives them.

        Raises:
            TypeError: If only a sketch is kept.
        """
        if self.is_sketch:
            msg = f"{self.path or 'the tensor'}: a sketch holds no numbers to read back; tier 'full' does"
            raise TypeError(msg)
        kept = numbers_of(self.parts["values"], self.facts.get("format", self.held))
        return _unshifted(kept, self.parts["logsumexp"]) if self.encoding == LOGITS else kept

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:  # noqa: FBT001 - NumPy's own signature
        array = native_array(self.numbers(), self.dtype or self.held)
        return array if dtype is None else array.astype(dtype, copy=bool(copy))


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a golden."""

    version: str = ""
    """Name of the model version; empty when none was named."""
    fingerprint: str = ""
    """Digest of that version."""
    plugin: str = ""
    """Version of pytest-llmval."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredGolden:
    """One golden of one environment."""

    name: str
    environment: Facts
    tier: str
    author: Author
    written_at: str
    """ISO 8601 in UTC."""
    tensors: tuple[StoredTensor, ...]
    texts: Mapping[str, str | None] = field(default_factory=dict)
    """Texts and None beside the tensors, by path."""

    @property
    def key(self) -> tuple[str, str]:
        """What there is one of in a file: the name, and the digest of the environment."""
        return self.name, digest_of(self.environment)

    @property
    def noise(self) -> float:
        """The largest noise floor of its tensors."""
        return max(each.noise for each in self.tensors)

    @property
    def size(self) -> int:
        """Bytes of its numbers in the file."""
        return sum(part.bits.nbytes for each in self.tensors for part in each.parts.values())


def log_sum_exp(logits: Floats) -> Floats:
    """Natural logarithm of the sum of exponentials over the last axis, which is kept."""
    largest = logits.max(axis=-1, keepdims=True)
    return np.asarray(largest + np.log(np.exp(logits - largest).sum(axis=-1, keepdims=True)))


def _unshifted(shifted: Array, kept: Part) -> Array:
    """Logits whose rows were stored less their largest: the stored logsumexp says what that was."""
    return np.asarray(shifted + (numbers_of(kept, "float32") - log_sum_exp(shifted)))
