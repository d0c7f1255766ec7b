"""A percentile of the times of answers against a bar."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.reports.figures import row
from pytest_llmval.reports.summary import Gate
from pytest_llmval.scoring.serving.measuring import Durations, Fates, durations
from pytest_llmval.servers.exchange import Response, Timing, Usage
from pytest_llmval.verdicts.evidence import verdict_from_dict, verdict_to_dict
from pytest_llmval.verdicts.latency import decide_latency
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.verdict import Counts, Outcome


def times(seconds, failed=0, replayed=0, unmeasured=0, **fields):
    """Times of answers c0, c1, …; some requests failed, some answers were replayed, some have no time."""
    fates = Fates(len(seconds) + failed + replayed + unmeasured, failed, replayed, unmeasured, "why" * bool(unmeasured))
    ids = tuple(f"c{place}" for place in range(len(seconds) + failed))
    names = {"ids": ids[: len(seconds)], "lost": ids[len(seconds) :]}
    return Durations(
        **{"name": "latency", "unit": "s", "fates": fates, "version": "v2"} | names | fields, seconds=tuple(seconds)
    )


HUNDREDTHS = times([place / 100 for place in range(1, 201)])
"""0.01, 0.02, …, 2.00 s. With n = 200, q = .95: P(B ≤ 184) = .044 and P(B ≤ 195) = .974, so x₁₈₅ to x₁₉₆."""

ANEW = (
    "their times say nothing about this one: a fresh --llmval-store measures anew, and answers of an endpoint are "
    "never taken over"
)


@pytest.mark.parametrize(
    ("bar", "outcome", "reason"),
    [
        (1.96, Outcome.EQUIVALENT, ""),
        (1.95, Outcome.INCONCLUSIVE, "not shown at or below the bar of 1.950 s: the interval reaches 1.960; about "),
        (1.85, Outcome.INCONCLUSIVE, "not shown at or below the bar of 1.850 s: the interval reaches 1.960; about "),
        (1.84, Outcome.REGRESSED, "shown above the bar of 1.840 s"),
    ],
)
def test_p95_against_its_bar(bar, outcome, reason):
    """The ends of the interval are values of the sample: the upper one passes, below the lower one fails."""
    verdict = decide_latency(HUNDREDTHS, "p95", bar)

    assert (verdict.outcome, verdict.kind, verdict.metric) == (outcome, "latency", "latency p95")
    assert verdict.headline == f"latency p95 1.900 s (90% CI [1.850, 1.960], n=200), bar {bar:.3f}"
    assert verdict.reason.startswith(reason)
    assert (verdict.candidate, verdict.low, verdict.high) == pytest.approx((1.90, 1.85, 1.96))
    assert (verdict.method, verdict.threshold) == ("order_statistics", bar)


def test_how_many_would_decide():
    """At 1.92 s a share of .96 is below: enough once P(B ≥ .96·n) ≤ .05; with ± of 1.645·√(.95·.05/n), n ≈ 1285."""
    verdict = decide_latency(HUNDREDTHS, "p95", 1.92)

    assert 1100 < verdict.needed_cases < 1500
    assert verdict.reason.endswith(f"about {verdict.needed_cases} measured answers would decide it if nothing changes")


def test_a_bar_at_the_percentile_itself():
    """No number of answers would decide."""
    verdict = decide_latency(HUNDREDTHS, "p95", 1.90)

    assert verdict.needed_cases is None
    assert verdict.reason.endswith("more measured answers would not decide it if nothing changes")


@pytest.mark.parametrize(("statistic", "least"), [("p50", 5), ("p90", 29), ("p95", 59), ("p99", 299)])
def test_too_few_answers_have_no_upper_end(statistic, least):
    """The least n with qⁿ ≤ .05; one fewer passes no bar, and the message says how many it takes at least."""
    enough, short = (decide_latency(times([1.0] * count), statistic, 5.0) for count in (least, least - 1))

    assert enough.outcome is Outcome.EQUIVALENT
    assert short.low >= 0
    assert (short.outcome, short.needed_cases, short.high) == (Outcome.INCONCLUSIVE, least, math.inf)
    assert short.headline == f"latency {statistic} 1.000 s (90% CI [{short.low:.3f}, inf], n={least - 1}), bar 5.000"
    assert short.reason == (
        f"not shown at or below the bar of 5.000 s: {least - 1} measured answers give {statistic} no upper end; "
        f"at least {least} would"
    )


def test_few_answers_may_still_be_too_slow():
    """Twenty of twenty above the bar: the lower end of p95 is x₁₇."""
    assert decide_latency(times([3.0] * 20), "p95", 2.0).outcome is Outcome.REGRESSED


def test_a_failed_answer_is_infinitely_slow():
    """With 59 answers and one failure the largest is infinite; 93 are needed with one above (Wilks)."""
    verdict = decide_latency(times([1.0] * 59, failed=1), "p95", 2.0)

    assert (verdict.outcome, verdict.high, verdict.needed_cases) == (Outcome.INCONCLUSIVE, math.inf, 93)
    assert verdict.headline == "latency p95 1.000 s (90% CI [1.000, inf], n=60, 1 failed), bar 2.000"
    assert verdict.reason.endswith("60 measured answers give p95 no upper end; at least 93 would, if no more fail")
    assert verdict.counts == Counts(60, 60, failed=1)
    assert (verdict.worst[0].id, verdict.worst[0].candidate) == ("c59", None)
    assert decide_latency(times([1.0] * 92, failed=1), "p95", 2.0).passed


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            times([1.0] * 90, failed=10),
            "10.0% of the answers are lost, more than 5% (10 failed, 0 without a measurement of 100)",
        ),
        (
            times([1.0] * 90, unmeasured=10, replayed=5),
            "10.0% of the answers are lost, more than 5% (0 failed, 10 without a measurement of 100: why)",
        ),
        (times([], unmeasured=7), "no answer has a measurement (0 failed, 7 without a measurement of 7: why)"),
        (times([], failed=7), "no answer has a measurement (7 failed, 0 without a measurement of 7)"),
        (
            times([], replayed=60),
            f"all 60 answers were replayed from an earlier run; {ANEW}",
        ),
    ],
)
def test_what_was_not_measured_decides_nothing(given, reason):
    """Above 5 % lost, or nothing measured; a replayed answer is not lost, but no measurement."""
    verdict = decide_latency(given, "p95", 2.0)

    assert (verdict.outcome, verdict.headline, verdict.reason) == (
        Outcome.INVALID,
        "latency p95 cannot be decided",
        reason,
    )


def test_replayed_answers_are_left_out_and_said():
    """The measured ones decide."""
    verdict = decide_latency(times([1.0] * 100, replayed=60), "p95", 2.0)

    assert verdict.passed
    assert verdict.headline.endswith("n=100, 60 replayed), bar 2.000")
    assert verdict.counts == Counts(100, 100)


def test_answers_that_share_their_time_are_one_measurement():
    """200 answers in 7 batches: the message speaks of batches."""
    verdict = decide_latency(times([1.0] * 7, fates=Fates(200)), "p95", 2.0)

    assert verdict.headline == "latency p95 1.000 s (90% CI [1.000, inf], n=7 batches of 200 answers), bar 2.000"
    assert "7 measured batches give p95 no upper end; at least 59 would" in verdict.reason


@pytest.mark.parametrize(
    ("bar", "outcome"), [(1.2, Outcome.EQUIVALENT), (1.0, Outcome.INCONCLUSIVE), (0.9, Outcome.REGRESSED)]
)
def test_the_mean(bar, outcome):
    """Mean 1.005 s, t interval ± 1.653 · .579/√200 = .068."""
    verdict = decide_latency(HUNDREDTHS, "mean", bar)

    assert (verdict.outcome, verdict.method) == (outcome, "t")
    assert (verdict.low, verdict.high) == pytest.approx((1.005 - 0.0676, 1.005 + 0.0676), abs=2e-4)
    assert verdict.metric == "latency mean"


def test_how_many_would_decide_a_mean():
    """(1.645 · .579/.025)² = 1450 for a bar .025 away."""
    assert decide_latency(HUNDREDTHS, "mean", 1.03).needed_cases == pytest.approx(1450, rel=0.02)


def test_a_mean_with_a_failure_is_none():
    """The message names what bears it."""
    verdict = decide_latency(times([1.0] * 99, failed=1), "mean", 2.0)

    assert (verdict.outcome, verdict.reason) == (
        Outcome.INVALID,
        "1 failed: with an answer that never came the mean is infinite; bound a percentile instead",
    )


@given(st.lists(st.floats(0, 100), min_size=1, max_size=120), st.floats(0, 100), st.floats(0, 100))
def test_a_looser_bar_is_never_worse(seconds, one, other):
    """What passes at a bar passes at any above, and what fails fails at any below."""
    order = [Outcome.REGRESSED, Outcome.INCONCLUSIVE, Outcome.EQUIVALENT]

    tight, loose = (decide_latency(times(seconds), "p90", bar).outcome for bar in sorted((one, other)))

    assert order.index(tight) <= order.index(loose)


def _through_json(value):
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.mark.parametrize("statistic", ["p50", "p99", "mean"])
@pytest.mark.parametrize(
    "given", [HUNDREDTHS, times([1.0] * 59, failed=1, replayed=3, unmeasured=1), times([], replayed=3)]
)
def test_the_verdict_is_kept_and_follows_from_its_evidence(given, statistic):
    """Also an infinite end, which JSON does not know; and with another bar."""
    verdict = decide_latency(given, statistic, 1.5)

    assert verdict_from_dict(_through_json(verdict_to_dict(verdict))) == verdict
    assert recompute(_through_json(verdict.evidence)) == verdict
    assert recompute(verdict.evidence, maximum=1e6).threshold == 1e6


def test_the_tables_keep_the_digits():
    """A time per token is small; a bar is kept or exceeded."""
    fast = times([0.0123] * 80, name="time_per_token", unit="s/token")
    kept, exceeded = decide_latency(fast, "p95", 0.0154), decide_latency(fast, "p95", 0.0104)
    none = decide_latency(times([1.0] * 20), "p95", 5)

    assert row(Gate("test_x.py::test_fast", kept)) == (
        "test_x.py::test_fast time_per_token p95", "bar 0.0154", "0.0123", "-", "[0.0123, 0.0123]", "-", "80", "kept",
    )  # fmt: skip
    assert row(Gate("test_x.py::test_fast", exceeded))[-1] == "exceeded"
    assert row(Gate("test_x.py::test_fast", none))[4:] == ("[1, inf]", "-", "20", "inconclusive")


@pytest.mark.parametrize(
    ("statistic", "bar", "error", "message"),
    [
        ("p95", -1.0, ValueError, r"p95=-1.0; expected a number of seconds, 0 or more"),
        ("p95", math.nan, ValueError, r"p95=nan; expected a number of seconds, 0 or more"),
        ("mean", math.inf, ValueError, r"mean=inf; expected a number of seconds, 0 or more"),
        ("p50", "2 s", TypeError, r"p50='2 s'; expected a number of seconds"),
        ("p50", True, TypeError, r"p50=True; expected a number of seconds"),
        ("p96", 1.0, ValueError, r"statistic='p96'; expected one of 'p50', 'p90', 'p95', 'p99', 'mean'"),
    ],
)
def test_bars_that_cannot_be_meant(statistic, bar, error, message):
    """Each message names the argument."""
    with pytest.raises(error, match=message):
        decide_latency(HUNDREDTHS, statistic, bar)


def test_an_impossible_level():
    """As in every gate."""
    with pytest.raises(ValueError, match=r"alpha=0.5; expected a one-sided level"):
        decide_latency(HUNDREDTHS, "p95", 1.0, alpha=0.5)


def test_the_slowest_answers_are_shown():
    """With prompt and answer, slowest first."""
    answers = [Response("x", usage=Usage(1, 9), timing=Timing("2026-11-21T10:00:00Z", 0.1 * n)) for n in range(1, 9)]

    verdict = decide_latency(durations(answers), "p50", 0.1)

    assert [change.id for change in verdict.worst] == [f"response {n}" for n in (8, 7, 6, 5, 4)]
    assert (verdict.worst[0].candidate, verdict.worst[0].candidate_answer) == (pytest.approx(0.8), "x")
