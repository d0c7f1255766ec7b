"""Times, tokens, cost and readability of answers as scores."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from pytest_llmval.asserts import assert_at_least, assert_at_most, assert_no_regression
from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.score import Unscored
from pytest_llmval.scoring.serving.cost import cost
from pytest_llmval.scoring.serving.measuring import durations, work
from pytest_llmval.scoring.serving.parsing import parsed
from pytest_llmval.scoring.serving.timing import first_token_latency, latency, queue_time, time_per_token
from pytest_llmval.scoring.serving.tokens import tokens_used
from pytest_llmval.servers.exchange import Response, Timing, Usage

TIMES = (latency, first_token_latency, time_per_token, queue_time)


def answer(seconds=2.0, tokens=11, *, second=0, **timing):
    """An answer of 11 tokens in 2 seconds, begun at that second."""
    times = {"started_at": f"2026-11-21T10:00:{second:06.3f}+00:00", "seconds": seconds, **timing}
    return Response(text="It is.", usage=Usage(30, tokens), timing=Timing(**times))


@pytest.mark.parametrize(
    ("metric", "name", "unit", "value"),
    [
        (latency, "latency", "s", 2.0),
        (first_token_latency, "first_token_latency", "s", 0.5),
        # (2.0 − 0.5) / (11 − 1)
        (time_per_token, "time_per_token", "s/token", 0.15),
        (queue_time, "queue_time", "s", 0.25),
        (tokens_used, "tokens_used", "tokens", 41.0),
        (cost, "cost", "USD", 0.002),
    ],
)
def test_what_an_answer_took(responses_to, metric, name, unit, value):
    """One number a case with its unit; lower is better, and nothing bounds it."""
    given = replace(answer(first_token_seconds=0.5, waited_seconds=0.25), cost=0.002)

    scores = metric(responses_to(given))

    assert scores.values == (pytest.approx(value),)
    assert (scores.name, scores.unit, scores.higher_is_better) == (name, unit, False)
    assert (scores.kind, scores.bounds) == ("unbounded", None)


def test_trials_are_averaged(responses_to):
    """Two trials of 1 and 3 seconds are a case of 2."""
    scores = latency(responses_to(answer(1.0), answer(3.0), trials=2))

    assert (scores.values, scores.by_trial) == ((2.0,), ((1.0, 3.0),))


def test_the_time_a_token_without_streaming(responses_to):
    """Over the whole answer, and said so: 2.2 s for 11 tokens."""
    whole, streamed = (responses_to(each) for each in (answer(2.2), answer(2.2, first_token_seconds=0.2)))

    assert time_per_token(whole).values == (pytest.approx(0.2),)
    assert time_per_token(whole).basis.protocol == (("time per token", "over the whole answer"),)
    assert time_per_token(streamed).basis.protocol == (("time per token", "after the first token"),)


def test_times_a_token_of_two_kinds_are_not_compared(responses_to):
    """The message names both."""
    whole, streamed = (responses_to(each) for each in (answer(2.2), answer(2.2, first_token_seconds=0.2)))

    with pytest.raises(InvalidComparison, match=r"over the whole answer -> after the first token"):
        assert_no_regression(time_per_token(streamed), time_per_token(whole))


@pytest.mark.parametrize(
    ("metric", "given", "reason"),
    [
        (first_token_latency, answer(), "streams = true in llmval.toml has answers of a server streamed"),
        (time_per_token, answer(tokens=1), "a time per token needs an answer of at least 2 tokens"),
        (time_per_token, answer(tokens=1, first_token_seconds=0.1), "needs an answer of at least 2 tokens"),
        (time_per_token, Response(usage=Usage(1, 9)), "the server tells no times"),
        (latency, Response(), "the server tells no times"),
        (queue_time, Response(), "the server tells no times"),
        (tokens_used, Response(), "the server counts no tokens"),
        (cost, replace(answer(), cost=None), "no price is known: give input_price and output_price of the version"),
        *((metric, replace(answer(first_token_seconds=1.0), replayed=True), "replayed: it was") for metric in TIMES),
    ],
)
def test_what_is_not_known_has_a_reason(responses_to, metric, given, reason):
    """And is no failure of the model."""
    (value,) = metric(responses_to(given)).values

    assert reason in value.reason
    assert not value.failed


def test_an_answer_without_a_first_token_among_streamed_ones(responses_to):
    """Its time a token would be another one than theirs."""
    _, value = time_per_token(responses_to(answer(first_token_seconds=0.5), answer())).values

    assert value.reason.startswith("the time of the first token is not known")


@pytest.mark.parametrize("metric", [*TIMES, tokens_used, cost, lambda given: parsed(given, json.loads)])
def test_a_failure_has_no_number(responses_to, metric):
    """It counts against the candidate."""
    assert metric(responses_to(Response.failed("timeout"))).values == (Unscored("timeout", failed=True),)


def test_what_a_replayed_answer_used_is_still_known(responses_to):
    """Tokens and price do not depend on when it was given."""
    given = responses_to(replace(answer(), replayed=True, cost=0.5))

    assert (tokens_used(given).values, cost(given).values) == ((41.0,), (0.5,))


def test_costs_against_a_bar(responses_to):
    """As any other scores."""
    given = responses_to(*(replace(answer(), cost=0.001 + 0.0001 * (place % 5)) for place in range(40)))

    assert assert_at_most(cost(given), 0.002).headline.startswith("cost 0.00120 USD (90% CI [0.0011")


@pytest.mark.parametrize(
    ("parser", "text", "value"),
    [
        (json.loads, '{"a": 1}', 1.0),
        (json.loads, '{"a": 1', 0.0),
        (json.loads, "null", 0.0),
        (json.loads, "0", 1.0),
        (int, "forty", 0.0),
        (re.compile("[0-9]+").search, "It is 42.", 1.0),
        (re.compile("[0-9]+").search, "It is.", 0.0),
        (lambda text: 1 / len(text), "", 0.0),
    ],
)
def test_an_answer_that_can_be_parsed(responses_to, parser, text, value):
    """Neither an exception, whatever it is, nor None."""
    assert parsed(responses_to(text), parser).values == (value,)


def test_the_rate_of_readable_answers(responses_to):
    """57 of 60; Wilson's interval is (57 + z²/2 ± z·√(57 · 3/60 + z²/4)) / (60 + z²), z = 1.645."""
    given = responses_to(*(["{}"] * 57 + ["{"] * 3))

    verdict = assert_at_least(parsed(given, json.loads), 0.85)

    assert verdict.headline == "parsed 0.950 (90% CI [0.881, 0.980], n=60), bar 0.850"
    assert (verdict.method, verdict.metric) == ("wilson", "parsed")


def test_parsers_are_told_apart(responses_to):
    """Patterns have the same methods, so the pattern itself tells."""
    given = responses_to("a")
    parsers = (json.loads, int, re.compile("a").search, re.compile("b").search, re.compile("a", re.DOTALL).search)

    versions = [parsed(given, parser).basis.metric_version for parser in parsers]

    assert len(set(versions)) == len(parsers)
    assert parsed(given, re.compile("a").search).basis.metric_version == versions[2]


def test_a_pattern_is_no_parser(responses_to):
    """The message says what is."""
    with pytest.raises(TypeError, match=r"parser=re.compile\('a'\); expected a function of the text, such as json"):
        parsed(responses_to("a"), re.compile("a"))


def test_trials_are_measurements_of_their_own(responses_to):
    """Three cases of two trials; a replayed one is none, also when it failed, and a failed one has no time."""
    gone = [replace(each, replayed=True) for each in (answer(3.0), Response.failed("timeout"), answer(4.0))]
    given = responses_to(answer(1.0), answer(2.0), gone[0], Response.failed("timeout"), *gone[1:], trials=2)

    found = durations(given)

    assert (found.ids, found.seconds, found.lost, found.measured) == (("c0", "c0"), (1.0, 2.0), ("c1",), 2)
    assert (found.fates.answers, found.fates.failed, found.fates.replayed, found.version) == (6, 1, 3, "v1")


def test_answers_of_one_batch_are_one_measurement(responses_to):
    """They share their time; its time a token is that of the longest, 2 s / 20 tokens."""
    together = [answer(2.0, tokens, batch=3) for tokens in (10, 20, 5)]
    given = responses_to(*together, answer(2.0, 10, second=5, batch=3), answer(2.0, 10), answer(2.0, 10))

    assert durations(given).seconds == (2.0, 2.0, 2.0, 2.0)
    assert durations(given, "per_token").seconds == pytest.approx((0.1, 0.2, 0.2, 0.2))
    assert durations(given, "per_token").ids == ("c1", "c3", "c4", "c5")


def test_responses_without_a_case():
    """What `llm.generate` gave: they are numbered."""
    found = durations([answer(1.0), answer(2.0), Response.failed("timeout")])

    assert (found.ids, found.lost) == (("response 1", "response 2"), ("response 3",))
    assert found.notes[2].answer == "(no answer: timeout)"


@pytest.mark.parametrize("tokens", [True, False])
def test_work_and_when_it_was_done(responses_to, tokens):
    """Tokens or requests, from the first start on."""
    found = work(responses_to(answer(second=5), answer(second=3.5)), tokens=tokens)

    assert found.starts == pytest.approx((1.5, 0.0))
    assert found.amounts == ((11.0, 11.0) if tokens else (1.0, 1.0))
