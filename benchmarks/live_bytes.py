"""Bytes of tensors and arrays alive at once, counted at every operation of torch."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any, Self

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from types import TracebackType


class LiveBytes(TorchDispatchMode):
    """While entered: the peak of what was allocated since, of tensors by their storages, and of NumPy's arrays.

    A storage counts from the operation that returns it until nothing holds it; what operations need inside is not
    seen. Tensors from before, such as weights, do not count. Python's own objects do, which are small beside them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._tensors = 0
        self._counted: dict[int, tuple[StorageWeakRef, int]] = {}
        self._from_before: dict[int, StorageWeakRef] = {}

    def __enter__(self) -> Self:
        tracemalloc.start()
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._note()
        tracemalloc.stop()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        given = kwargs or {}
        self._note()
        for storage in storages((*args, *given.values())):
            if not self._is_known(storage):
                self._from_before[storage._cdata] = StorageWeakRef(storage)  # noqa: SLF001 - it has no other name
        output = func(*args, **given)
        for storage in storages(output):
            if not self._is_known(storage):
                self._count(storage)
        return output

    def _is_known(self, storage: torch.UntypedStorage) -> bool:
        """Whether it was seen; an address may be that of another one which is gone."""
        key = storage._cdata  # noqa: SLF001
        seen = (self._counted[key][0] if key in self._counted else None), self._from_before.get(key)
        return any(each is not None and not each.expired() for each in seen)

    def _count(self, storage: torch.UntypedStorage) -> None:
        _, gone = self._counted.get(storage._cdata, (None, 0))  # noqa: SLF001
        self._counted[storage._cdata] = StorageWeakRef(storage), storage.nbytes()  # noqa: SLF001
        self._tensors += storage.nbytes() - gone

    def _note(self) -> None:
        """Since the last operation arrays may have come and gone; tensors can only have gone."""
        self.peak = max(self.peak, self._tensors + tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()
        gone = [key for key, (storage, _) in self._counted.items() if storage.expired()]
        for key in gone:
            self._tensors -= self._counted.pop(key)[1]


def storages(value: Any) -> list[torch.UntypedStorage]:
    """Storages of the tensors in a value."""
    if isinstance(value, torch.Tensor):
        return [value.untyped_storage()]
    if isinstance(value, tuple | list):
        return [storage for each in value for storage in storages(each)]
    return []
