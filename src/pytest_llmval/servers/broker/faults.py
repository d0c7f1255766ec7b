"""Errors as messages, so that a worker raises what the engine raised."""

from __future__ import annotations

from pytest_llmval.errors import (
    BudgetSpent,
    CapabilityMissing,
    RequestRefused,
    ServerError,
    SettingsError,
    StoreError,
    StoreUnwritable,
)
from pytest_llmval.servers.broker.channel import Message

OURS = (BudgetSpent, CapabilityMissing, RequestRefused, ServerError, SettingsError, StoreError, StoreUnwritable)
PYTHONS = (ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, RuntimeError)
"""What a model raises in a serial run as well: a test may expect it."""
KINDS: dict[str, type[Exception]] = {kind.__name__: kind for kind in (*OURS, *PYTHONS)}


def is_ours(error: BaseException) -> bool:
    """Whether an error was raised on purpose."""
    return isinstance(error, OURS)


def fault_message(error: BaseException) -> Message:
    """The message that says what went wrong; what is of no kind a worker knows is a fault of the engine."""
    known = [kind.__name__ for kind in type(error).__mro__ if kind.__name__ in KINDS]
    if known:
        return Message({"fault": known[0], "text": str(error)})
    return Message({"fault": ServerError.__name__, "text": f"the engine failed: {type(error).__name__}: {error}"})


def raise_fault(message: Message) -> None:
    """Raise what the message says went wrong, if it says so."""
    if "fault" in message.values:
        raise KINDS[message.values["fault"]](message.values["text"])
