"""Mutation: one known bug, where it sits, and how it is put in and taken out again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Inject = Callable[[Any], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A bug that can be put into a model or a tokenizer."""

    name: str
    """As tables show it, for example `o_proj x 1.01`."""
    at: tuple[str, ...]
    """What is at fault: paths of modules in a model, or a part of the tokenizer."""
    inject: Inject
    """Takes the model or tokenizer; while the context holds, it has the bug."""
    in_weights: bool = True
    """Whether weights are changed, so that a conversion to another dtype keeps the bug."""


def replaced(
    name: str, change: Callable[[Any], Any], owner_of: Callable[[Any], Any] = lambda subject: subject
) -> Inject:
    """The bug of one attribute: `change` takes what it is and returns what it becomes.

    Args:
        name: Of the attribute.
        change: What is done to its value.
        owner_of: The part of a model or tokenizer that has the attribute.
    """

    @contextmanager
    def inject(subject: Any) -> Iterator[None]:
        owner = owner_of(subject)
        original = getattr(owner, name)
        setattr(owner, name, change(original))
        try:
            yield
        finally:
            setattr(owner, name, original)

    return inject
