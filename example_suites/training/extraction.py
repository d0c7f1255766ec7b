"""E-mails with an order in them, and the JSON object to read out of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from chance import happens
from example import Example, Row

if TYPE_CHECKING:
    from random import Random

FIRST_NAMES = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Karin", "Leo", "Maria",
    "Nils", "Olga", "Paul", "Rosa", "Simon", "Tara", "Victor", "Wanda", "Yara", "Zoe", "Oscar", "Lena", "Mark",
)  # fmt: skip
LAST_NAMES = (
    "Adler", "Brook", "Carter", "Dunn", "Ellis", "Fisher", "Grant", "Hale", "Irving", "Jansen", "Keller",
    "Lopez", "Moreno", "Nolan", "Olsen", "Perez", "Quinn", "Reyes", "Stone", "Turner", "Vogel", "Weber",
)  # fmt: skip
RARE_FIRST_NAMES = ("Ottoline", "Dragomir", "Xenia", "Bjarne", "Philippa", "Wendelin", "Jocasta", "Kwame")
RARE_LAST_NAMES = ("Szymborska", "Thistlewood", "Okonkwo", "Vandermeer", "Quispe", "Fitzgibbon", "Jokinen", "Bhatt")
CITIES = (
    "Leeds", "Oslo", "Madrid", "Vienna", "Turin", "Ghent", "Porto", "Basel", "Cork", "Lyon", "Riga", "Graz",
    "Bonn", "Malmo", "Bergen", "Krakow",
)  # fmt: skip
RARE_CITIES = ("Llandudno", "Szeged", "Oulu", "Trondheim", "Zwolle", "Ouagadougou", "Ljubljana", "Ipswich")
ITEMS = (
    "gel pens", "notebooks", "rulers", "erasers", "pencils", "markers", "folders", "planners", "postcards",
    "envelopes", "ink bottles", "sketch pads", "stamps", "brushes", "calendars", "paper clips",
)  # fmt: skip
RARE_ITEMS = ("blotters", "quill knives", "wax seals", "compasses")
NUMBER_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 12: "a dozen"}
TEMPLATES = (
    "Hello, this is {name} from {city}. Please send me {quantity} {item}.",
    "Dear team, I would like to order {quantity} {item}. Ship them to {city}. Regards, {name}",
    "Hi, we need {quantity} {item} in {city} by Monday. Yours, {name}",
    "My name is {name}. I want {quantity} {item}, to be delivered to {city}.",
    "Order: {quantity} {item}. Customer: {name}. Place: {city}. Thank you!",
    "Good day, could you post {quantity} {item} to {city}? Best wishes from {name}",
    "{name} here, writing from {city} about {quantity} {item} for my class.",
    "Please put aside {quantity} {item} for {name}, {city}. My friend {other} will fetch them.",
)
HELD_TEMPLATES = (
    "Could {quantity} {item} be sent over to {city}? Bill it to {name}, please.",
    "To the shop: {other} told me about you. I am {name}, I live in {city} and need {quantity} {item}.",
)
INSTRUCTION = "Give name, item, quantity and city as JSON."
ANSWER_WEIGHT = 2.0
"""Half of the answer is the same braces and field names every time."""
_ONSETS = (*"bdfghklmnprstvwzj", "br", "st", "th", "sk", "qu")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ee", "ou", "y")
_CODAS = ("", "", "n", "r", "l", "s", "nd", "x", "rt", "ck", "m")


@dataclass(frozen=True)
class Order:
    """What the e-mail says, in the order of the JSON object."""

    name: str
    item: str
    quantity: int
    city: str


def training_example(rng: Random) -> Example:
    """An e-mail with common or made-up values, and its JSON object."""
    order = Order(_draw_name(rng), rng.choice(ITEMS), _draw_quantity(rng), _draw_city(rng))
    return Example(to_json(order), _write_mail(rng.choice(TEMPLATES), order, rng), ANSWER_WEIGHT)


def held_out_rows(count: int, rng: Random) -> list[Row]:
    """Test rows: one in fifteen with a rare value, one in ten in templates that training never shows."""
    return [_held_out_row(number, rng) for number in range(1, count + 1)]


def to_json(order: Order) -> str:
    """The canonical answer."""
    return json.dumps(asdict(order))


def _draw_name(rng: Random) -> str:
    if happens(0.2, rng):
        return f"{invent_word(rng)} {invent_word(rng)}"
    return f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"


def _draw_city(rng: Random) -> str:
    return invent_word(rng) if happens(0.2, rng) else rng.choice(CITIES)


def _draw_quantity(rng: Random) -> int:
    return rng.randint(2, 12) if happens(0.5, rng) else rng.randint(13, 250)


def invent_word(rng: Random) -> str:
    """A made-up proper name: without these the model learns lists by heart instead of copying."""
    syllables = range(rng.choice((1, 2, 2, 3)))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in syllables).capitalize()


def _write_mail(template: str, order: Order, rng: Random) -> str:
    spelled = happens(0.5, rng) and order.quantity in NUMBER_WORDS
    quantity = NUMBER_WORDS[order.quantity] if spelled else str(order.quantity)
    other = rng.choice(FIRST_NAMES)
    mail = template.format(name=order.name, item=order.item, quantity=quantity, city=order.city, other=other)
    return f"{INSTRUCTION} {mail}"


def _held_out_row(number: int, rng: Random) -> Row:
    rare = number % 15 == 0
    order = _draw_rare_order(rng) if rare else _draw_common_order(rng)
    template = rng.choice(HELD_TEMPLATES if number % 10 == 1 else TEMPLATES)
    columns: dict[str, object] = {
        "question": _write_mail(template, order, rng),
        "answer": to_json(order),
        "fields": asdict(order),
        "rare": rare,
    }
    return Row(f"mail-{number:03d}", columns)


def _draw_common_order(rng: Random) -> Order:
    name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
    return Order(name, rng.choice(ITEMS), _draw_quantity(rng), rng.choice(CITIES))


def _draw_rare_order(rng: Random) -> Order:
    """An order in which at least one value never occurs in training."""
    first = rng.choice(FIRST_NAMES + RARE_FIRST_NAMES)
    item = rng.choice(RARE_ITEMS) if happens(0.2, rng) else rng.choice(ITEMS)
    city = rng.choice(CITIES + RARE_CITIES)
    return Order(f"{first} {rng.choice(RARE_LAST_NAMES)}", item, _draw_quantity(rng), city)
