"""Budget: what requests cost, and that a run spends no more than it may."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import BudgetSpent
from pytest_llmval.servers.reference import BYTES_PER_TOKEN
from pytest_llmval.servers.remote.faults import Unanswered
from pytest_llmval.servers.remote.replies import usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.servers.exchange import Usage
    from pytest_llmval.servers.remote.payloads import Post

MILLION = 1_000_000


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
        return (self.input * usage.prompt_tokens + self.output * usage.completion_tokens) / MILLION


class Purse:
    """The money of one run; one object for all its versions, safe among threads."""

    def __init__(self, limit: float | None = None) -> None:
        """A purse with so many US dollars, None for as many as are needed."""
        self.limit = limit
        self.spent = 0.0
        """US dollars that were charged so far."""
        self._reserved = 0.0
        self._changing = Lock()

    def reserve(self, amount: float) -> None:
        """Put money aside for one request.

        Raises:
            BudgetSpent: If there might not be enough.
        """
        with self._changing:
            if self.limit is not None and self.spent + self._reserved + amount > self.limit:
                msg = (
                    f"--llmval-budget {self.limit:g}: {self.spent:.6g} US dollars are spent and {self._reserved:.6g} "
                    f"set aside for requests under way; the next request may cost {amount:.6g}, so it is not sent"
                )
                raise BudgetSpent(msg)
            self._reserved += amount

    def settle(self, amount: float, cost: float) -> None:
        """Pay what a request cost for which an amount was put aside."""
        with self._changing:
            self._reserved -= amount
            self.spent += cost


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
        self._tokens_per_estimated = float(BYTES_PER_TOKEN)
        """The most seen so far; before any answer every byte is taken for a token, which no tokenizer exceeds."""
        self._is_first = True

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
            paid = most if fault.may_be_computed else 0.0
            raise
        finally:
            self._purse.settle(most, paid)

    def _most(self, post: Post, price: Price) -> float:
        factor = 1.0 if post.is_exact else self._tokens_per_estimated
        return (price.input * post.input_tokens * factor + price.output * post.output_tokens) / MILLION

    def _charge(self, post: Post, bill: Bill, price: Price, most: float) -> float:
        """What the tokens that were counted cost; as much as was put aside where nobody counted."""
        if bill.usage is None or not bill.usage.prompt_tokens:
            return most
        self._learn(bill.usage.prompt_tokens / max(1, post.input_tokens))
        return price.of(bill.usage)

    def _learn(self, ratio: float) -> None:
        self._tokens_per_estimated = ratio if self._is_first else max(ratio, self._tokens_per_estimated)
        self._is_first = False


class Free(Account):
    """Pays for a model of one's own: nothing."""

    def __init__(self) -> None:
        super().__init__(Purse(), Price(0.0, 0.0))


def usage_in(body: dict[str, Any]) -> Usage | None:
    """The tokens that an answer of the OpenAI interface counts; None where it does not."""
    return usage_of(body) if body.get("usage") else None
