"""Nested containers, as models return them, laid out as one tensor a path."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmval.scoring.tensors.arrays import is_array

Leaves = dict[str, Any]
"""Tensors, numbers, texts and None by their path, for example `hidden_states[3]`; an only tensor has the path `""`."""


def leaves_of(value: object) -> Leaves:
    """Everything in a value that is no container, by its path, in order.

    Containers are mappings (among them the outputs of transformers), sequences, named tuples, dataclasses, modules
    of torch (their state dict) and key-value caches of transformers. A list of numbers, also a nested one, is one
    tensor. An empty container is a leaf, so that it is not overlooked.

    Raises:
        TypeError: If something is neither a container nor comparable.
        ValueError: If two of them have one path, as in `{"a.b": x, "a": {"b": y}}`.
    """
    leaves: Leaves = {}
    for path, leaf in _walk(value, "", ()):
        if path in leaves:
            msg = f"two parts of the value are called {path!r}; expected keys that tell them apart"
            raise ValueError(msg)
        leaves[path] = leaf
    return leaves


def is_number(value: object) -> bool:
    """Whether a value is one number or truth value of Python."""
    return isinstance(value, int | float | complex)


def is_tensor(value: object) -> bool:
    """Whether a leaf is compared by its numbers: a tensor, a number, or lists of numbers."""
    return is_array(value) or is_number(value) or (isinstance(value, Sequence) and _is_list_of_numbers(value))


def _walk(value: object, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    if value is None or isinstance(value, str | bytes) or is_tensor(value):
        yield path, value
        return
    if id(value) in above:
        msg = f"{path or 'the value'} contains itself; expected containers without cycles"
        raise TypeError(msg)
    parts = _parts(value, path)
    if not parts:
        yield path, value
    for name, part in parts:
        yield from _walk(part, name, (*above, id(value)))


def _parts(value: object, path: str) -> list[tuple[str, Any]]:
    """What a container holds, by the path of each part."""
    if isinstance(value, Mapping):
        return [(_joined(path, str(key)), part) for key, part in value.items()]
    if hasattr(value, "_fields"):  # a named tuple
        return [(_joined(path, name), getattr(value, name)) for name in value._fields]
    if isinstance(value, Sequence):
        return [(f"{path}[{place}]", part) for place, part in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(_joined(path, field.name), getattr(value, field.name)) for field in dataclasses.fields(value)]
    if callable(state_dict := getattr(value, "state_dict", None)):
        return _parts(state_dict(), path)
    return _cache_parts(value, path)


def _cache_parts(value: object, path: str) -> list[tuple[str, Any]]:
    layers = getattr(value, "layers", None)
    if not isinstance(layers, list) or not all(hasattr(layer, "keys") and hasattr(layer, "values") for layer in layers):
        msg = (
            f"{path or 'the value'} is a {type(value).__name__}; expected a tensor, numbers, text, None, or a mapping, "
            f"sequence, dataclass, module or key-value cache of them"
        )
        raise TypeError(msg)
    names = [(f"{path}.layers" if path else "layers") + f"[{place}]" for place in range(len(layers))]
    kinds = ("keys", "values")
    return [
        (f"{name}.{kind}", getattr(layer, kind)) for name, layer in zip(names, layers, strict=True) for kind in kinds
    ]


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_list_of_numbers(value: Sequence[object]) -> bool:
    """Whether every innermost entry is a number and the lists are as long as each other."""
    if isinstance(value, str | bytes) or not len(value):
        return False
    if all(is_number(each) for each in value):
        return True
    inner = [each for each in value if isinstance(each, Sequence) and _is_list_of_numbers(each)]
    return len(inner) == len(value) and len({_lengths(each) for each in inner}) == 1


def _lengths(value: Any) -> tuple[int, ...]:
    return (len(value), *_lengths(value[0])) if isinstance(value, Sequence) else ()
