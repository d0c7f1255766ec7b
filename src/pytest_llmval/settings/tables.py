"""Values of a TOML file, checked one by one; whatever is wrong is said with the file and the key."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def read_toml(path: Path) -> dict[str, Any]:
    """The contents of a TOML file. This and all below raise SettingsError for what is not right."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not valid TOML: {error}"
        raise SettingsError(msg) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise SettingsError(msg) from error


def table_of(raw: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    """A table of it, empty when it is not there."""
    table = raw.get(name, {})
    if not isinstance(table, dict):
        msg = f"{path.name}: {name} = {table!r}; expected a table [{name}]"
        raise SettingsError(msg)
    return table


def check_keys(table: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    """Refuse keys that are unknown."""
    for key in table:
        if key not in known:
            msg = f"{place}: unknown key {key!r}; {nearest(key, known)}"
            raise SettingsError(msg)


def whole(value: object, name: str, path: Path, *, least: int) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{path.name}: {name} = {value!r}; expected a whole number of at least {least}"
        raise SettingsError(msg)
    return value


def check_choice(value: str, known: Iterable[str], what: str) -> None:
    """Refuse a name that is not among those known."""
    if value not in known:
        msg = f"{what} {value!r}; {nearest(value, known)}"
        raise SettingsError(msg)
