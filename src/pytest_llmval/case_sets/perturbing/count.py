"""Counts as arguments."""

from __future__ import annotations


def check_count(call: str, name: str, value: object, least: int = 1) -> None:
    """Refuse what is no count.

    Raises:
        ValueError: If the value is no whole number of at least `least`; the text shows the call.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        msg = f"{call}({name}={value!r}): expected a whole number of at least {least}"
        raise ValueError(msg)
