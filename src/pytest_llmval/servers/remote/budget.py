"""Budget: what requests cost, and that a run spends no more than it may."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import BudgetSpent
from pytest_llmval.servers.process.log import open_log
from pytest_llmval.servers.reference import BYTES_PER_TOKEN
from pytest_llmval.servers.remote.faults import Unanswered
from pytest_llmval.servers.remote.replies import usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llmval.servers.exchange import Usage
    from pytest_llmval.servers.remote.payloads import Post

MILLION = 1_000_000
MORE = 1.25
"""By how much estimates exceed the most tokens that were counted for such a text."""


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost, in US dollars a million."""

    input: float
    output: float

    def of(self, usage: Usage) -> float:
        """US dollars.

        >>> from pytest_llmval.servers.exchange import Usage
        >>> Price(input=0.15, output=0.60).of(Usage(1000, 500))
        0.00045
        """
        return self.of_tokens(usage.prompt_tokens, usage.completion_tokens)

    def of_tokens(self, read: float, written: float) -> float:
        """US dollars of so many tokens, perhaps a mean."""
        return (self.input * read + self.output * written) / MILLION


class Purse:
    """The money of one run; one object for all its versions, safe among threads."""

    def __init__(self, limit: float | None = None, book: Path | None = None) -> None:
        """A purse with so many US dollars, None for as many as are needed.

        Args:
            limit: US dollars.
            book: File in which each change is written down, so that the purse of a process that follows one that died
                knows what was spent; what was set aside then counts as spent.
        """
        self.limit = limit
        self._book = book
        self.spent = 0.0 if book is None else _sum_of(book)
        """US dollars that were charged so far."""
        self._reserved = 0.0
        self._changing = Lock()

    def reserve(self, amount: float) -> None:
        """Put money aside for one request.

        Raises:
            BudgetSpent: If there might not be enough.
        """
        with self._changing:
            if self.limit is not None and amount > 0 and self.spent + self._reserved + amount > self.limit:
                msg = (
                    f"--llmval-budget {self.limit:g}: {self.spent:.6g} US dollars are spent and {self._reserved:.6g} "
                    f"set aside for requests under way; the next request may cost {amount:.6g}, so it is not sent"
                )
                raise BudgetSpent(msg)
            self._reserved += amount
            self._write(amount)

    def settle(self, amount: float, cost: float) -> None:
        """Pay what a request cost for which an amount was put aside."""
        with self._changing:
            self._reserved -= amount
            self.spent += cost
            self._write(cost - amount)

    def _write(self, change: float) -> None:
        if self._book is not None and change:
            with open_log(self._book) as stream:
                stream.write(f"{change!r}\n")


def _sum_of(book: Path) -> float:
    """What is written down; a last line that is torn counts nothing."""
    if not book.exists():
        return 0.0
    return math.fsum(map(float, filter(_is_number, book.read_text(encoding="utf-8").split("\n")[:-1])))


def _is_number(line: str) -> bool:
    try:
        return math.isfinite(float(line))
    except ValueError:
        return False


class Bill:
    """What one attempt costs."""

    cost: float | None = 0.0
    """US dollars, once it is settled; None where the price is not known."""
    usage: Usage | None = None
    """Tokens that are charged, once they are known."""


class Account:
    """Pays for the requests of one version."""

    def __init__(self, purse: Purse, price: Price | None) -> None:
        """An account by a price; without one it pays nothing and says that nobody knows."""
        self._purse = purse
        self._price = price
        self._most_seen: float | None = None
        """Tokens that were counted for one that was estimated, the most so far."""

    @contextmanager
    def bill(self, post: Post) -> Iterator[Bill]:
        """Money put aside while an attempt is made, and then paid as the answer says.

        An attempt that broke off may have been computed, and is paid as if it had; one that was refused is not.

        Raises:
            BudgetSpent: If there might not be enough.
        """
        bill = Bill()
        if self._price is None:
            bill.cost = None
            yield bill
            return
        most = self._most(post, self._price)
        self._purse.reserve(most)
        paid = 0.0
        try:
            yield bill
            paid = bill.cost = self._charge(post, bill, self._price, most)
        except Unanswered as fault:
            paid = bill.cost = most if fault.may_be_computed else 0.0
            raise
        finally:
            self._purse.settle(most, paid)

    def _most(self, post: Post, price: Price) -> float:
        factor = 1.0 if post.is_exact else self._tokens_per_estimated
        return price.of_tokens(post.input_tokens * factor, post.output_tokens)

    @property
    def _tokens_per_estimated(self) -> float:
        """A little more than was seen; before any answer each byte counts, which no tokenizer exceeds."""
        return float(BYTES_PER_TOKEN) if self._most_seen is None else min(BYTES_PER_TOKEN, MORE * self._most_seen)

    def _charge(self, post: Post, bill: Bill, price: Price, most: float) -> float:
        """What the tokens that were counted cost; as much as was put aside where nobody counted."""
        if bill.usage is None or not bill.usage.prompt_tokens:
            return most
        if not post.is_exact:
            ratio = bill.usage.prompt_tokens / max(1, post.input_tokens)
            self._most_seen = max(ratio, self._most_seen or 0.0)
        return price.of(bill.usage)


class Free(Account):
    """Pays for a model of one's own: nothing."""

    def __init__(self) -> None:
        super().__init__(Purse(), Price(0.0, 0.0))


def usage_in(body: dict[str, Any]) -> Usage | None:
    """The tokens that an answer of the OpenAI interface counts; None where it does not."""
    return usage_of(body) if body.get("usage") else None
