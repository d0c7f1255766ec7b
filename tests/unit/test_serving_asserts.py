"""The gates of speed: each bar a verdict, all kept before one raises."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

from pytest_llmval.current import TestInProgress, in_progress
from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.score import Scores
from pytest_llmval.servers.exchange import Response, Timing, Usage
from pytest_llmval.serving_asserts import assert_latency, assert_throughput


def answers(count=100, **timing):
    """One after another, of 1.0 to 1.9 seconds and ten tokens, as `llm.generate` gives them."""
    made = []
    for place in range(count):
        times = {
            "started_at": f"2026-11-21T10:{2 * place // 60:02}:{2 * place % 60:02}Z",
            "seconds": 1 + place % 10 / 10,
        }
        made.append(Response("x", usage=Usage(5, 10), timing=Timing(**times | timing)))
    return made


@contextmanager
def keeping():
    """Gives the verdicts of another test, which is in progress meanwhile."""
    test = TestInProgress("test_speed.py::test_it")
    with in_progress(test):
        yield test.verdicts


def test_a_verdict_for_each_bar():
    """In the order of the percentiles, and the first is returned."""
    with keeping() as kept:
        verdict = assert_latency(answers(), p95=2.0, p50=1.6, mean=1.6)

    assert [each.metric for each in kept] == ["latency p50", "latency p95", "latency mean"]
    assert [each.evidence["gate"] for each in kept] == [1, 2, 3]
    assert verdict == kept[0]


def test_all_are_kept_before_the_first_that_fails_raises():
    """p50 fails, and p95 has its verdict all the same."""
    with keeping() as kept, pytest.raises(ModelRegression) as failure:
        assert_latency(answers(), p50=1.0, p95=2.0)

    assert str(failure.value) == (
        "latency p50 1.400 s (90% CI [1.400, 1.500], n=100), bar 1.000\nshown above the bar of 1.000 s"
    )
    assert [each.outcome for each in kept] == ["regressed", "equivalent"]


def test_what_is_inconclusive_is_returned_first():
    """p99 has no upper end below 299 answers."""
    with keeping():
        assert assert_latency(answers(), p50=1.6, p99=2.0).metric == "latency p99"


@pytest.mark.parametrize(
    ("of", "metric"),
    [
        ("total", "latency p95"),
        ("first_token", "first_token_latency p95"),
        ("per_token", "time_per_token p95"),
        ("queue", "queue_time p95"),
    ],
)
def test_each_time_has_its_name(of, metric):
    """As the scores of the same time."""
    with keeping():
        assert assert_latency(answers(first_token_seconds=0.5), of=of, p95=2.0).metric == metric


def test_first_tokens_that_are_not_known():
    """The message names the setting."""
    with (
        keeping(),
        pytest.raises(InvalidComparison, match=r"no answer has a measurement .*streams = true in llmval.toml"),
    ):
        assert_latency(answers(), of="first_token", p95=2.0)


def test_answers_of_an_earlier_run():
    """Refused, and the message says how to measure anew."""
    replayed = [replace(each, replayed=True) for each in answers()]

    with keeping(), pytest.raises(InvalidComparison, match="a fresh --llmval-store measures anew"):
        assert_latency(replayed, p95=2.0)
    with keeping(), pytest.raises(InvalidComparison, match="a fresh --llmval-store measures anew"):
        assert_throughput(replayed, requests_per_second=1)


def test_throughput_of_tokens_and_of_requests():
    """100 answers of ten tokens in 199.9 s: 5.0 tokens and 0.5 requests a second."""
    with keeping() as kept:
        verdict = assert_throughput(iter(answers()), tokens_per_second=4.5, requests_per_second=0.45)

    assert [each.metric for each in kept] == ["tokens_per_second", "requests_per_second"]
    assert [each.candidate for each in kept] == pytest.approx([1000 / 199.9, 100 / 199.9])
    assert verdict == kept[0]


def test_a_throughput_that_is_not_reached():
    """Fails with the rate and its interval."""
    with pytest.raises(
        ModelRegression, match=r"^requests_per_second 0\.500 requests/s \(90% CI \[0\.\d+, 0\.\d+\], n="
    ):
        assert_throughput(answers(), requests_per_second=1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: assert_latency(answers()), ValueError,
         r"no bar was given; expected one of p50, p90, p95, p99, mean, for example p95=2.0"),
        (lambda: assert_throughput(answers()), ValueError,
         r"no bar was given; expected one of tokens_per_second, requests_per_second, for example "),
        (lambda: assert_latency(answers(), of="totl", p95=1), ValueError, r"of='totl'; did you mean 'total'\? known: "),
        (lambda: assert_latency(Scores("a", ("c",), (1.0,)), p95=1), TypeError,
         r"expected responses, for example the fixtures responses and baseline_responses, got <a: 1 over 1 cases>"),
        (lambda: assert_throughput(answers()[0], requests_per_second=1), TypeError, r"expected responses, .* got <"),
        (lambda: assert_latency([], p95=1), ValueError,
         r"\[\] has no response; expected those of a case set, for example the fixture responses"),
        (lambda: assert_throughput(iter(()), requests_per_second=1), ValueError, r"\[\] has no response; expected"),
        (lambda: assert_latency(answers(), p95=-1), ValueError, r"p95=-1; expected a number of seconds, 0 or more"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(call, error, message):
    """Nothing is kept of them."""
    with keeping() as kept, pytest.raises(error, match=message):
        call()

    assert kept == []
