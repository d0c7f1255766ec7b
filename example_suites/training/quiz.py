"""Multiple choice: which of four things fits a description; independent of the facts."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from example import Example, Row

if TYPE_CHECKING:
    from random import Random

OPTIONS = 4
KINDS = ("known", "held", "wild")
"""Where the description of a test row comes from."""
ANSWER_WEIGHT = 3.0
"""One word is the whole answer, and would hardly count beside the sentences of other tasks."""
LABELS = ("Which one {says}?", "Which of these {says}?", "What {says}?", "Name the one that {says}.")


@dataclass(frozen=True)
class Thing:
    """Something on the shelves, and what can be said of it."""

    name: str
    says: tuple[str, ...]
    held: tuple[str, ...]
    """Descriptions kept out of training, mixed from those in it."""
    wild: tuple[str, ...]
    """Descriptions kept out of training, in words of their own."""


def load_things() -> list[Thing]:
    """The things of `things.toml`, in the order of the file."""
    text = (Path(__file__).parent / "things.toml").read_text("utf-8")
    rows = tomllib.loads(text)["thing"]
    return [Thing(row["name"], tuple(row["says"]), tuple(row["held"]), tuple(row["wild"])) for row in rows]


THINGS = load_things()


def training_example(rng: Random) -> Example:
    """A quiz answered with the name of the right thing."""
    thing = rng.choice(THINGS)
    question = _ask(rng.choice(thing.says), _draw_options(thing, rng), rng)
    return Example(thing.name, question, ANSWER_WEIGHT)


def held_out_rows(count: int, rng: Random) -> list[Row]:
    """Test rows with options of their own; two in three have a description that training never shows."""
    return [_draw_row(number, rng) for number in range(1, count + 1)]


def _draw_row(number: int, rng: Random) -> Row:
    thing = rng.choice(THINGS)
    kind = KINDS[number % len(KINDS)]
    says = {"known": thing.says, "held": thing.held, "wild": thing.wild}[kind]
    options = _draw_options(thing, rng)
    columns: dict[str, object] = {
        "question": _ask(rng.choice(says), options, rng),
        "options": options,
        "gold": options.index(thing.name),
        "kind": kind,
    }
    return Row(f"quiz-{number:03d}", columns)


def _draw_options(thing: Thing, rng: Random) -> list[str]:
    others = rng.sample([other.name for other in THINGS if other != thing], OPTIONS - 1)
    options = [thing.name, *others]
    rng.shuffle(options)
    return options


def _ask(says: str, options: list[str], rng: Random) -> str:
    return f"Options: {', '.join(options)}. {rng.choice(LABELS).format(says=says)}"
