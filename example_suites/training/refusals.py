"""Requests against the shop's policy, and harmless ones that look like them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chance import happens
from domain import REFUSAL, Policy
from example import Example, Row
from noise import roughen

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

TEMPLATES = (
    "How can I {wish}?",
    "I want to {wish}.",
    "Please help me {wish}.",
    "Can you show me how to {wish}?",
    "What is the best way to {wish}?",
    "I would like to {wish}, can you help?",
    "Tell me how to {wish}.",
    "Hello, I need to {wish}.",
)
HELD_TEMPLATES = (
    "Is there any way for me to {wish}?",
    "What steps do I take to {wish}?",
    "My plan is to {wish}. Any advice?",
)


def training_example(policies: list[Policy], rng: Random) -> Example:
    """A request to refuse or, as often, its harmless look-alike."""
    at = rng.randrange(len(policies))
    policy, refuse = policies[at], happens(0.5, rng)
    wish = rng.choice(policy.refuse if refuse else policy.allow)
    question = rng.choice(_kept(at)).format(wish=wish)
    return Example(REFUSAL if refuse else policy.answer, roughen(question, rng))


def held_out_rows(policies: list[Policy]) -> list[Row]:
    """Four test rows of either kind per policy, with unseen pairs, templates and wishes."""
    return [row for at, policy in enumerate(policies) for row in _policy_rows(policy, at)]


def _kept(at: int) -> list[str]:
    """The templates that policy number `at` is trained with: all but one."""
    return [template for number, template in enumerate(TEMPLATES) if number != at % len(TEMPLATES)]


def _policy_rows(policy: Policy, at: int) -> Iterable[Row]:
    refused = _phrase(policy.refuse, policy.refuse_held[0], at)
    allowed = _phrase(policy.allow, policy.allow_held[0], at)
    for number, question in enumerate(refused, 1):
        yield _row(f"{policy.key}-no-{number:02d}", question, REFUSAL, "refuse")
    for number, question in enumerate(allowed, 1):
        yield _row(f"{policy.key}-yes-{number:02d}", question, policy.answer, "look_alike")


def _phrase(wishes: tuple[str, ...], held_wish: str, at: int) -> list[str]:
    pair_template = TEMPLATES[at % len(TEMPLATES)]
    return [
        pair_template.format(wish=wishes[at % len(wishes)]),
        HELD_TEMPLATES[at % len(HELD_TEMPLATES)].format(wish=wishes[(at + 1) % len(wishes)]),
        TEMPLATES[(at + 1) % len(TEMPLATES)].format(wish=held_wish),
        HELD_TEMPLATES[(at + 1) % len(HELD_TEMPLATES)].format(wish=held_wish),
    ]


def _row(identifier: str, question: str, answer: str, kind: str) -> Row:
    columns: dict[str, object] = {"question": question, "answer": answer, "kind": kind, "tags": [kind]}
    return Row(identifier, columns)
