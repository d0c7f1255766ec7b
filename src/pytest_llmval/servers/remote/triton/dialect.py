"""Dialect: how the options of a request, and the logprobs of an answer, are called by a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from pytest_llmval.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmval.servers.remote.triton.interface import Interface

Outputs: TypeAlias = "Mapping[str, list[Any]]"
"""The values of each output of one piece of an answer, row after row; texts are `str`."""


class Dialect(Protocol):
    """One way to call them."""

    known: frozenset[str]
    """Inputs that it can fill beyond those that all dialects have."""

    def inputs(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs for the options of a request in OpenAI's words.

        Raises:
            RequestRefused: If the model has no input for one of them.
        """

    def logprobs(self, pieces: Sequence[Outputs]) -> dict[str, Any] | None:
        """The logprobs of the generated tokens as `completions` has them; None where there are none."""

    def token_ids(self, pieces: Sequence[Outputs]) -> list[int]:
        """The generated ids; empty where the model does not tell them."""


def joined(pieces: Sequence[Outputs], *names: str) -> list[Any]:
    """All values of the first of several outputs that there is, piece after piece."""
    found = next((name for name in names if any(name in piece for piece in pieces)), None)
    return [] if found is None else [value for piece in pieces for value in piece.get(found, ())]


def lacking(interface: Interface, option: str, value: object, names: Sequence[str]) -> RequestRefused:
    """The refusal of an option for which a model has no input."""
    wanted = " or ".join(repr(name) for name in names)
    return RequestRefused(
        f"{option}={value!r}: the model {interface.name!r} has no input {wanted}; {interface.listed()}"
    )
