"""Plain texts about the shop, for perplexity: no chat template around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chance import happens
from domain import Fact, capitalise
from example import Example, Row

if TYPE_CHECKING:
    from random import Random

OPENERS = (
    "Fernquill handbook, page on {topic}.",
    "Notes for new staff about {topic}.",
    "From our leaflet on {topic}:",
    "What guests ask us most about {topic}.",
)
LINKS = ("", "Please note: ", "Good to know: ", "Also, remember this. ")


def training_example(facts: list[Fact], rng: Random) -> Example:
    """A random text as a training example without a question."""
    return Example(write_document(facts, rng))


def held_out_rows(facts: list[Fact], count: int, rng: Random) -> list[Row]:
    """Test rows with different texts."""
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts[write_document(facts, rng)] = None
    return [Row(f"document-{number:03d}", {"text": text}) for number, text in enumerate(texts, 1)]


def write_document(facts: list[Fact], rng: Random) -> str:
    """A leaflet of some facts of one topic, or a list of questions and answers."""
    topic = rng.choice(sorted({fact.topic for fact in facts}))
    chosen = rng.sample([fact for fact in facts if fact.topic == topic], rng.randint(2, 4))
    opener = rng.choice(OPENERS).format(topic=topic)
    body = [_write_entry(fact, rng) for fact in chosen]
    return " ".join([opener, *body])


def _write_entry(fact: Fact, rng: Random) -> str:
    if happens(0.4, rng):
        return f"Question: {capitalise(rng.choice(fact.ask))}? Answer: {fact.answer}"
    return rng.choice(LINKS) + fact.answer
