"""Messages of a conversation."""

from types import MappingProxyType

import pytest

from pytest_llmval.case_sets.message import Message, as_text, messages_from

TURN = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize("value", [[TURN], (TURN,), [Message("user", "Hi")], [MappingProxyType(TURN)]])
def test_mappings_and_messages(value):
    """Lists, tuples, any mapping and our own type serve."""
    assert messages_from(value) == (Message("user", "Hi"),)


@pytest.mark.parametrize("value", [[], (), None, "Hi", {"role": "user", "content": "Hi"}])
def test_what_is_no_conversation(value):
    """The shape is shown."""
    with pytest.raises(ValueError, match="expected a non-empty list of ") as caught:
        messages_from(value)

    assert str(caught.value) == f"messages={value!r}: expected a non-empty list of {{'role': …, 'content': …}}"


@pytest.mark.parametrize(
    "entry",
    ["Hi", {"role": "user"}, {"content": "Hi"}, {"role": "user", "content": None}, {"role": 1, "content": "Hi"}],
)
def test_an_entry_that_is_no_message(entry):
    """Its number is named, counted from 0 as Python does."""
    with pytest.raises(ValueError, match="expected") as caught:
        messages_from([TURN, entry])

    assert str(caught.value) == f"messages[1]={entry!r}: expected {{'role': 'user', 'content': 'text'}}"


def test_as_text():
    """A single message reads as its content, a conversation as one line a message."""
    assert as_text("plain") == "plain"
    assert as_text((Message("user", "Hi"),)) == "Hi"
    assert as_text((Message("system", "Be kind."), Message("user", "Hi"))) == "system: Be kind.\nuser: Hi"
