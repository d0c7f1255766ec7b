"""Profiles as tests tell them: what the model under test can and cannot do, a few lines for a reader."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tokens.capabilities import Profile

TITLE = "profile of the"
"""How the first line begins; `llmval check` shows what a test printed from there on."""
_MOST = 12


def tell(profile: Profile, subject: str) -> None:
    """Print a profile; pytest keeps it with the test (`-rP` shows it)."""
    print("\n".join([f"{TITLE} {subject}", *(f"  {line}" for line in _lines(profile))]))  # noqa: T201 - it is told


def _lines(profile: Profile) -> Iterator[str]:
    values = {
        field.name.replace("_", " "): getattr(profile, field.name)
        for field in dataclasses.fields(profile)
        if field.compare
    }
    for word, answer in (("yes", True), ("no", False), ("not applicable", None)):
        names = [name for name, value in values.items() if value is answer]
        if names:
            yield f"{word}: {', '.join(names)}"
    for name, value in values.items():
        if isinstance(value, Mapping | tuple):
            yield f"{name}: {_listed(value)}"


def _listed(value: Mapping[str, int] | tuple[str, ...]) -> str:
    shown = [f"{key!r} {value[key]}" for key in value] if isinstance(value, Mapping) else list(map(repr, value))
    more = f" and {len(shown) - _MOST} more" if len(shown) > _MOST else ""
    return (", ".join(shown[:_MOST]) or "none") + more
