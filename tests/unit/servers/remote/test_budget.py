"""What requests cost, and that no more is spent than may be."""

from contextlib import ExitStack

import pytest

from pytest_llmval.errors import BudgetSpent, RequestRefused
from pytest_llmval.servers.exchange import Request, Usage
from pytest_llmval.servers.remote.budget import Account, Price, Purse
from pytest_llmval.servers.remote.faults import Unanswered
from pytest_llmval.servers.remote.payloads import Post

MILLION = 1_000_000
ASKED = Post("completions", {}, input_tokens=10, output_tokens=20, is_exact=True)
"""At most 10 x 1 + 20 x 2 = 50 dollars at the price below."""
DEAR = Price(input=MILLION, output=2 * MILLION)


def pay(account, post, usage=None, fault=None):
    """One attempt, answered with this usage or ended by a fault."""
    with account.bill(post) as bill:
        if fault is not None:
            raise fault
        bill.usage = usage
    return bill.cost


def test_the_published_price_of_a_model():
    """1,000 tokens in and 500 out of gpt-4o-mini, 0.15 and 0.60 dollars a million: 0.00015 + 0.00030."""
    assert Price(0.15, 0.60).of(Usage(1000, 500)) == pytest.approx(0.00045)


def test_what_was_used_is_paid_and_not_what_might_have_been():
    """10 in and 5 out are 20 dollars, though 50 were set aside."""
    purse = Purse(60)

    assert pay(Account(purse, DEAR), ASKED, Usage(10, 5)) == 20
    assert purse.spent == 20
    assert pay(Account(purse, DEAR), Post("completions", {}, 10, 15, is_exact=True), Usage(10, 15)) == 40
    assert purse.spent == 60


def test_a_request_that_might_cost_more_than_is_left_is_not_made():
    """Nothing is spent by it, and what was asked for and what is left are told."""
    purse = Purse(49.5)
    expected = r"--llmval-budget 49.5: 0 US dollars are spent and 0 set aside .* may cost 50, so it is not sent"

    with pytest.raises(BudgetSpent, match=expected):
        pay(Account(purse, DEAR), ASKED, Usage(10, 5))

    assert purse.spent == 0


@pytest.mark.parametrize(("limit", "made"), [(400, 8), (399, 7)])
def test_requests_under_way_count(limit, made):
    """Of eight at a time that may cost 50 each, 400 dollars allow all and 399 seven."""
    account = Account(Purse(limit), DEAR)

    with ExitStack() as under_way:
        for _ in range(made):
            under_way.enter_context(account.bill(ASKED))
        with pytest.raises(BudgetSpent, match=rf"{50 * made} set aside for requests under way"):
            pay(account, ASKED)


@pytest.mark.parametrize(
    ("fault", "paid"),
    [
        (Unanswered("429", throttled=True, may_be_computed=False), 0),
        (Unanswered("500", may_be_computed=False), 0),
        (RequestRefused("too long"), 0),
        (Unanswered("no answer within 5 s"), 50),
    ],
    ids=str,
)
def test_an_attempt_without_an_answer(fault, paid):
    """What was refused costs nothing; what broke off may have been computed and is taken to be charged."""
    purse = Purse(1000)

    with pytest.raises(type(fault)):
        pay(Account(purse, DEAR), ASKED, fault=fault)

    assert purse.spent == paid


def test_a_server_that_counts_no_tokens_is_paid_the_most():
    """Rather too much than too little."""
    assert pay(Account(Purse(), DEAR), ASKED, None) == 50


def test_estimates_follow_what_the_server_counts():
    """Before any answer each byte counts as a token, 40 for 10; then a quarter more than the most that was counted."""
    account = Account(Purse(80), Price(MILLION, 0))
    rough = Post("completions", {}, input_tokens=10)

    with pytest.raises(BudgetSpent, match="may cost 84"):
        pay(account, Post("completions", {}, input_tokens=21))
    assert pay(account, rough, Usage(16, 0)) == 16
    assert pay(account, rough, Usage(12, 0)) == 12
    # 28 dollars are spent; 26 estimated tokens may be 26 x 1.6 x 1.25 = 52, and 28 + 52 is 80.
    with pytest.raises(BudgetSpent, match="may cost 54"):
        pay(account, Post("completions", {}, input_tokens=27), Usage(12, 0))
    assert pay(account, Post("completions", {}, input_tokens=26), Usage(12, 0)) == 12


def test_exact_counts_teach_nothing_about_estimates():
    """A tokenizer that counted the first says nothing about a quarter of the bytes of the second."""
    account = Account(Purse(50), Price(MILLION, 0))
    pay(account, Post("completions", {}, input_tokens=10, is_exact=True), Usage(10, 0))

    with pytest.raises(BudgetSpent, match="may cost 44"):
        pay(account, Post("completions", {}, input_tokens=11), Usage(11, 0))


def test_money_is_written_down_for_whoever_follows(tmp_path):
    """A second purse knows what the first spent, and counts what it had set aside; a torn line counts nothing."""
    book = tmp_path / "spending.log"
    account = Account(Purse(200, book), DEAR)
    pay(account, ASKED, Usage(10, 5))
    under_way = account.bill(ASKED)
    under_way.__enter__()
    with book.open("a", encoding="utf-8") as stream:
        stream.write("12")

    assert Purse(200, book).spent == 20 + 50
    assert book.stat().st_mode & 0o077 == 0


def test_what_is_free_is_sent_after_the_money_is_gone():
    """A server of one's own beside a paid one."""
    purse = Purse(20)
    pay(Account(purse, DEAR), Post("completions", {}, 10, 5, is_exact=True), Usage(10, 5))

    assert pay(Account(purse, Price(0, 0)), ASKED, Usage(10, 5)) == 0


def test_an_unknown_price_is_said_to_be_unknown():
    """Not nothing."""
    assert pay(Account(Purse(), None), ASKED, Usage(10, 5)) is None


def test_answers_tell_their_cost(connect):
    """Through the real server: as many dollars as tokens were counted at one dollar each."""
    account = Account(Purse(), Price(MILLION, MILLION))

    (response,) = connect(account=account).answer([Request("hello")])

    assert response.cost == response.usage.total > 0
