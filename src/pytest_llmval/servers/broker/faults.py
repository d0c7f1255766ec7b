"""Errors of ours as messages, so that a worker raises what the engine raised."""

from __future__ import annotations

from pytest_llmval.errors import CapabilityMissing, RequestRefused, ServerError, SettingsError, StoreError
from pytest_llmval.servers.broker.channel import Message

KINDS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (CapabilityMissing, RequestRefused, ServerError, SettingsError, StoreError, ValueError)
}
"""Errors that mean the same on either side; any other is a fault of the engine."""


def is_known(error: Exception) -> bool:
    """Whether an error is no fault of the engine."""
    return type(error).__name__ in KINDS


def fault_message(error: Exception) -> Message:
    """The message that says what went wrong."""
    kind = type(error).__name__
    if is_known(error):
        return Message({"fault": kind, "text": str(error)})
    return Message({"fault": ServerError.__name__, "text": f"the engine failed: {kind}: {error}"})


def raise_fault(message: Message) -> None:
    """Raise what the message says went wrong, if it says so."""
    if "fault" in message.values:
        raise KINDS[message.values["fault"]](message.values["text"])
