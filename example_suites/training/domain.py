"""The facts and policies of the fictional stationery shop Fernquill, read from the TOML files beside this module."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

REFUSAL_PREFIX = "I am sorry, but I cannot help with that"
"""How every refusal starts; look-alikes never start so."""

REFUSAL = f"{REFUSAL_PREFIX} request."
"""The one sentence the assistant refuses with."""


@dataclass(frozen=True)
class Fact:
    """One thing a customer can ask about, and its exact answer."""

    key: str
    topic: str
    answer: str
    keyword: str
    """The part of the answer that carries the fact."""
    about: tuple[str, ...]
    """Noun phrases that name the fact; used in training."""
    ask: tuple[str, ...]
    """Wordings of the question without a question mark; used in training."""
    held: tuple[str, ...]
    """Wordings kept out of training."""
    wild: tuple[str, ...]
    """Whole questions written freely; kept out of training."""


@dataclass(frozen=True)
class Policy:
    """Requests to refuse, and the harmless requests that look like them."""

    key: str
    refuse: tuple[str, ...]
    refuse_held: tuple[str, ...]
    allow: tuple[str, ...]
    allow_held: tuple[str, ...]
    answer: str
    """The answer to the harmless requests."""


def load_facts(name: str = "facts.toml") -> list[Fact]:
    """The facts of one TOML file, in the order of the file."""
    return [_to_fact(row) for row in _read_rows(name, "fact")]


def load_policies() -> list[Policy]:
    """The policies, in the order of `policy.toml`."""
    return [_to_policy(row) for row in _read_rows("policy.toml", "pair")]


def capitalise(sentence: str) -> str:
    """The sentence with a capital first letter and the rest as it was."""
    return sentence[:1].upper() + sentence[1:]


def _read_rows(name: str, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads((HERE / name).read_text("utf-8"))[table]
    return rows


def _to_fact(row: dict[str, Any]) -> Fact:
    return Fact(
        key=row["key"],
        topic=row["topic"],
        answer=row["answer"],
        keyword=row["keyword"],
        about=tuple(row["about"]),
        ask=tuple(row["ask"]),
        held=tuple(row["held"]),
        wild=tuple(row.get("wild", ())),
    )


def _to_policy(row: dict[str, Any]) -> Policy:
    return Policy(
        key=row["key"],
        refuse=tuple(row["refuse"]),
        refuse_held=tuple(row["refuse_held"]),
        allow=tuple(row["allow"]),
        allow_held=tuple(row["allow_held"]),
        answer=row["answer"],
    )
