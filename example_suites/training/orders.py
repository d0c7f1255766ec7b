"""Order totals: a basket in words, and a worked answer that ends in the sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chance import happens
from example import Example, Row

if TYPE_CHECKING:
    from random import Random

GOODS = (
    "gel pens", "notebooks", "rulers", "erasers", "pencils", "markers", "folders", "planners", "cards",
    "envelopes", "ink bottles", "sketch pads", "stamps", "brushes", "calendars", "clips",
)  # fmt: skip
TEMPLATES = (
    "I take {basket}, what do I pay?",
    "What is the total for {basket}?",
    "Please add up {basket}.",
    "How much are {basket} together?",
    "My basket has {basket}. What is the sum?",
    "I would like {basket}. How much is that?",
    "We need {basket}, what does it come to?",
    "Put {basket} on my bill, please.",
)
HELD_TEMPLATES = (
    "I need {basket}, what will I pay?",
    "Tell me the total of {basket}.",
)


@dataclass(frozen=True)
class Line:
    """Some pieces of one good."""

    goods: str
    count: int
    price: int
    """Euros per piece."""

    @property
    def cost(self) -> int:
        """Euros for all pieces."""
        return self.count * self.price


def training_example(rng: Random) -> Example:
    """A basket that no test row has, and its worked total."""
    basket = _draw_basket(rng)
    while is_held_out(basket):
        basket = _draw_basket(rng)
    return Example(work_out(basket), _fill(rng.choice(TEMPLATES), basket))


def held_out_rows(count: int, rng: Random) -> list[Row]:
    """Test rows with held-out baskets, a fifth of them in templates that training never shows."""
    return [_held_out_row(number, rng) for number in range(1, count + 1)]


def is_held_out(basket: tuple[Line, ...]) -> bool:
    """Whether this combination of counts and prices is kept for the tests."""
    return sum((31 * line.count + 7 * line.price) for line in basket) % 8 == 0


def work_out(basket: tuple[Line, ...]) -> str:
    """The answer: each product, the sum and the sentence that names it."""
    products = ", ".join(f"{line.count} x {line.price} = {line.cost}" for line in basket)
    total = sum(line.cost for line in basket)
    return f"{products}, {_add_up(basket)}, so you pay {total} euros."


def _add_up(basket: tuple[Line, ...]) -> str:
    """Running sums, two numbers at a time."""
    total, sums = basket[0].cost, []
    for line in basket[1:]:
        sums.append(f"{total} + {line.cost} = {total + line.cost}")
        total += line.cost
    return ", ".join(sums)


def _draw_basket(rng: Random) -> tuple[Line, ...]:
    size = 3 if happens(0.06, rng) else 2
    goods = rng.sample(GOODS, size)
    return tuple(Line(name, rng.randint(2, 5), _draw_price(rng)) for name in goods)


def _draw_price(rng: Random) -> int:
    """Mostly a price from the times tables; a dear one now and then keeps the task from being perfect."""
    return rng.randint(10, 15) if happens(0.06, rng) else rng.randint(2, 9)


def _fill(template: str, basket: tuple[Line, ...]) -> str:
    parts = [f"{line.count} {line.goods} at {line.price} euros" for line in basket]
    return template.format(basket=", ".join(parts[:-1]) + " and " + parts[-1])


def _held_out_row(number: int, rng: Random) -> Row:
    basket = _draw_basket(rng)
    while not is_held_out(basket):
        basket = _draw_basket(rng)
    templates = HELD_TEMPLATES if number % 5 == 0 else TEMPLATES
    columns: dict[str, object] = {
        "question": _fill(rng.choice(templates), basket),
        "answer": work_out(basket),
        "total": sum(line.cost for line in basket),
        "items": len(basket),
    }
    return Row(f"order-{number:03d}", columns)
