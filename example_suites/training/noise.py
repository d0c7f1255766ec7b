"""Ways in which people write differently: synonyms, typos, missing words, small talk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chance import happens

if TYPE_CHECKING:
    from random import Random

SYNONYMS = {
    "accept": ("take",),
    "allowed": ("permitted", "ok"),
    "buy": ("get", "purchase"),
    "charge": ("ask", "take"),
    "collect": ("fetch", "pick up"),
    "cost": ("come to", "set me back"),
    "days": ("weeks", "days"),
    "delivery": ("shipping", "shipment"),
    "discount": ("reduction", "money off", "deal"),
    "expensive": ("pricey", "dear"),
    "find": ("get", "see"),
    "get": ("receive", "have"),
    "heavy": ("thick",),
    "item": ("article", "thing", "product"),
    "kids": ("children",),
    "long": ("many days", "much time"),
    "need": ("require", "want"),
    "offer": ("have", "sell"),
    "order": ("purchase", "basket"),
    "parcel": ("package", "box", "shipment"),
    "pay": ("settle", "spend"),
    "possible": ("ok", "available", "fine"),
    "present": ("gift",),
    "gift": ("present",),
    "price": ("cost", "fee"),
    "product": ("item", "thing"),
    "sell": ("have", "stock"),
    "send": ("mail", "post", "ship"),
    "shop": ("store", "place"),
    "return": ("send back", "bring back"),
    "take": ("need", "last"),
    "thick": ("heavy",),
    "weight": ("thickness", "gsm"),
    "where": ("whereabouts", "in which place"),
    "which": ("what",),
    "soon": ("quickly", "fast"),
    "much": ("many euros",),
}
"""Words that may stand for another one in a customer's question."""

SMALL_TALK = (
    "I was in town last week.",
    "My sister told me about you.",
    "We are planning a party.",
    "I love your notebooks.",
    "It is for my nephew.",
    "I am new here.",
    "Thanks for your help last time.",
    "This is my first order.",
    "My daughter starts school soon.",
    "I bought a pen from you.",
    "I looked on your page but found nothing.",
    "Hope you are well!",
    "I write a lot of letters.",
    "I am a teacher.",
    "We met at the fair.",
    "It is a bit urgent.",
    "I have been a customer for years.",
    "Sorry if this was asked before.",
    "My colleague wants to know.",
    "I draw every day.",
)
"""Sentences that carry no question."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def roughen(question: str, rng: Random) -> str:
    """The question as a hurried person may have typed it; often unchanged."""
    question = swap_synonyms(question, rng) if happens(0.5, rng) else question
    question = drop_words(question, rng) if happens(0.3, rng) else question
    question = mistype(question, rng) if happens(0.15, rng) else question
    question = flatten(question, rng) if happens(0.2, rng) else question
    return add_small_talk(question, rng) if happens(0.2, rng) else question


def swap_synonyms(question: str, rng: Random) -> str:
    """The question with about a third of the words that have a synonym replaced."""
    return " ".join(_maybe_synonym(word, rng) for word in question.split(" "))


def drop_words(question: str, rng: Random) -> str:
    """The question without about a sixth of its words, or with only a few of them; never empty."""
    share = rng.choice((0.15, 0.15, 0.4))
    words = question.split(" ")
    kept = [word for word in words if not happens(share, rng)]
    return " ".join(kept or words)


def mistype(question: str, rng: Random) -> str:
    """The question with one letter doubled, lost, changed or swapped with the next."""
    at = rng.randrange(max(1, len(question) - 1))
    first, second = question[at : at + 1], question[at + 1 : at + 2]
    change = rng.choice((first + first, "", second + first, rng.choice(_LETTERS)))
    width = 2 if change == second + first else 1
    return question[:at] + change + question[at + width :]


def flatten(question: str, rng: Random) -> str:
    """The question in small letters, and half the time without its last mark."""
    question = question.lower()
    return question.rstrip("?.!") if happens(0.5, rng) else question


def add_small_talk(question: str, rng: Random) -> str:
    """The question with a sentence before or after it that asks nothing."""
    talk = rng.choice(SMALL_TALK)
    return f"{talk} {question}" if happens(0.7, rng) else f"{question} {talk}"


def _maybe_synonym(word: str, rng: Random) -> str:
    bare = word.rstrip("?.!,").lower()
    if bare not in SYNONYMS or not happens(0.35, rng):
        return word
    synonym = rng.choice(SYNONYMS[bare])
    return synonym + word[len(bare) :]
