"""Questions about facts: phrasings seen in training, pairs and phrasings held out of it, and free ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chance import happens
from domain import Fact, capitalise
from example import Example, Row
from noise import roughen

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

ASK_TEMPLATES = (
    "{Q}?",
    "Hello, {q}?",
    "Quick question: {q}?",
    "{Q}? Thank you!",
    "Could you tell me this: {q}?",
    "{Q}, please?",
    "I was wondering, {q}?",
    "My friend asks: {q}?",
)
"""Templates around a question; {Q} is capitalised."""

ABOUT_TEMPLATES = (
    "Tell me about {q}.",
    "What about {q}?",
    "I have a question about {q}.",
    "{Q}?",
    "Can you explain {q}?",
    "I need information about {q}.",
    "What do you say on {q}?",
    "Is there anything I should know about {q}?",
)
"""Templates around a noun phrase."""

HELD_ASK_TEMPLATES = (
    "Good evening! {Q}?",
    "Sorry to bother you, but {q}?",
    "{Q}? I cannot find it anywhere.",
)
"""Templates around a question that training never shows."""

HELD_ABOUT_TEMPLATES = (
    "Anything on {q} would help me.",
    "My next point is {q}.",
    "{Q} - how does that go?",
)
"""Templates around a noun phrase that training never shows."""


def training_example(facts: list[Fact], rng: Random) -> Example:
    """A question about a random fact, phrased as training may phrase it."""
    at = rng.randrange(len(facts))
    fact = facts[at]
    if happens(0.7, rng):
        template, wording = rng.choice(_kept(ASK_TEMPLATES, at)), rng.choice(fact.ask)
    else:
        template, wording = rng.choice(_kept(ABOUT_TEMPLATES, at)), rng.choice(fact.about)
    return Example(fact.answer, roughen(fill(template, wording), rng))


def fill(template: str, wording: str) -> str:
    """The template with the wording in it."""
    return template.format(q=wording, Q=capitalise(wording))


def held_out_rows(facts: list[Fact], repeats: int = 1) -> list[Row]:
    """Test rows per fact, from pairs and from phrasings that training never shows."""
    return [row for at, fact in enumerate(facts) for row in _fact_rows(fact, at, repeats)]


def wild_rows(facts: list[Fact]) -> list[Row]:
    """Test rows from the freely written questions."""
    return [_row(fact, number, wild) for fact in facts for number, wild in enumerate(fact.wild, 1)]


def _kept(templates: tuple[str, ...], at: int) -> list[str]:
    """The templates that fact number `at` is trained with: all but one."""
    return [template for number, template in enumerate(templates) if number != at % len(templates)]


def _fact_rows(fact: Fact, at: int, repeats: int) -> Iterable[Row]:
    held_pairs = _pair_questions(fact, at, repeats)
    held_phrasings = _phrasing_questions(fact, at, repeats)
    for number, question in enumerate(held_pairs + held_phrasings, 1):
        kind = "held_out_pair" if number <= len(held_pairs) else "held_out_phrasing"
        yield _row(fact, number, question, phrasing=kind)


def _pair_questions(fact: Fact, at: int, repeats: int) -> list[str]:
    ask, about = ASK_TEMPLATES[at % len(ASK_TEMPLATES)], ABOUT_TEMPLATES[at % len(ABOUT_TEMPLATES)]
    pairs = [(ask, fact.ask[(at + n) % len(fact.ask)]) for n in range(repeats)]
    pairs += [(about, fact.about[(at + n) % len(fact.about)]) for n in range(repeats)]
    return [fill(template, wording) for template, wording in pairs]


def _phrasing_questions(fact: Fact, at: int, repeats: int) -> list[str]:
    """New templates around known wordings, and new wordings in new and known templates."""
    questions = []
    for n in range(repeats):
        held_ask = HELD_ASK_TEMPLATES[(at + n) % len(HELD_ASK_TEMPLATES)]
        held_about = HELD_ABOUT_TEMPLATES[(at + n) % len(HELD_ABOUT_TEMPLATES)]
        known_ask = ASK_TEMPLATES[(at + 3 + n) % len(ASK_TEMPLATES)]
        questions += [
            fill(held_about, fact.about[(at + n) % len(fact.about)]),
            fill(held_ask, fact.held[0]),
            fill(known_ask, fact.held[0]),
        ]
    return questions


def _row(fact: Fact, number: int, question: str, **more: object) -> Row:
    columns: dict[str, object] = {
        "question": question,
        "answer": fact.answer,
        "keyword": fact.keyword,
        "fact": fact.key,
        "topic": fact.topic,
    }
    return Row(f"{fact.key}-{number:02d}", {**columns, **more})
