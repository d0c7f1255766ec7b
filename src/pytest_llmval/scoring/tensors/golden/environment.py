"""Environment of a golden: the facts on which last bits depend although the model is the same."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pytest_llmval.records.environment import library_versions
from pytest_llmval.scoring.tensors.golden.container import canonical_json

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.golden.stored import StoredGolden

Facts = Mapping[str, str]
"""Each fact by its name."""

# Of torch 2.13. The precisions of float32 have an older API beside this one, which raises once both were used.
_DEFAULTS: dict[str, tuple[object, ...]] = {
    "backends.fp32_precision": ("none", "ieee"),
    "backends.cuda.matmul.fp32_precision": ("none", "ieee"),
    "backends.mkldnn.matmul.fp32_precision": ("none", "ieee"),
    "backends.cudnn.conv.fp32_precision": ("tf32",),
    "backends.cuda.matmul.allow_fp16_reduced_precision_reduction": (True,),
    "backends.cuda.matmul.allow_bf16_reduced_precision_reduction": (True,),
    "backends.cudnn.benchmark": (False,),
    "backends.cudnn.deterministic": (False,),
    "are_deterministic_algorithms_enabled": (False,),
}


@dataclass(frozen=True, slots=True)
class FactChange:
    """A fact that is not what it was; empty where it is not known."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name} {self.old or 'unknown'} -> {self.new or 'unknown'}"


def facts_of(devices: Iterable[str], more: Facts | None = None) -> dict[str, str]:
    """The facts of this process.

    A fact never depends on whether torch happens to be imported yet: its switches are named only where they differ
    from torch's own defaults.

    Args:
        devices: On which tensors lie or the model runs, for example `cpu` or `cuda:0`.
        more: What only the suite knows, for example the attention implementation.
    """
    facts = {"machine": platform.machine(), "device": ", ".join(sorted({_device_class(each) for each in devices}))}
    version = library_versions(("torch",))["torch"]
    facts |= {"torch": version} if version else {}
    torch = sys.modules.get("torch")
    return facts | (_switches(torch) if torch else {}) | dict(more or {})


def digest_of(facts: Facts) -> str:
    """Short name of an environment: 8 hexadecimal digits."""
    return hashlib.sha256(canonical_json(dict(facts)).encode()).hexdigest()[:8]


def changes_between(old: Facts, new: Facts) -> tuple[FactChange, ...]:
    """The facts that differ, by name."""
    names = sorted({*old, *new})
    return tuple(
        FactChange(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)
    )


def nearest(goldens: Iterable[StoredGolden], facts: Facts) -> StoredGolden | None:
    """The golden whose environment differs in the fewest facts, of those the newest; None when there is none."""
    found = sorted(goldens, key=lambda each: each.written_at, reverse=True)
    return min(found, key=lambda each: len(changes_between(each.environment, facts)), default=None)


def _device_class(device: str) -> str:
    kind = device.partition(":")[0]
    torch = sys.modules.get("torch")
    if kind != "cuda" or torch is None or not torch.cuda.is_available():
        return kind
    major, minor = torch.cuda.get_device_capability()
    return f"{torch.cuda.get_device_name()} sm_{major}{minor} (CUDA {torch.version.cuda})"


def _switches(torch: Any) -> dict[str, str]:
    """Switches of torch that change numbers and are not at their default."""
    found = {name: _read(torch, name) for name in _DEFAULTS}
    return {
        name: str(value).lower() for name, value in found.items() if value is not None and value not in _DEFAULTS[name]
    }


def _read(torch: Any, name: str) -> object:
    """The value of a switch, None where this torch has none of that name."""
    try:
        value = attrgetter(name)(torch)
        return value() if callable(value) else value
    except AttributeError:
        return None
