"""Work a second against a bar."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_llmval.reports.figures import row
from pytest_llmval.reports.summary import Gate
from pytest_llmval.scoring.serving.measuring import Fates, Work
from pytest_llmval.verdicts.evidence import verdict_from_dict, verdict_to_dict
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.throughput import decide_throughput
from pytest_llmval.verdicts.verdict import Counts, Outcome


def done(amounts, each=1.0, fates=None, **fields):
    """One answer after another, each of so many seconds."""
    count = len(amounts)
    columns = {"starts": tuple(each * place for place in range(count)), "seconds": (each,) * count}
    names = {"name": "tokens_per_second", "unit": "tokens/s", "fates": fates or Fates(count)}
    return Work(**names | columns | fields, amounts=tuple(map(float, amounts)))


RATES = [90, 110, 100, 95, 105] * 4
"""Tokens of 20 answers of a second each: 20 windows, mean 100, sd 7.25, ± 1.729 · 7.25/√20 = 2.80."""

WOULD = "about 145 measured answers would decide it if the rate stays the same"


@pytest.mark.parametrize(
    ("bar", "outcome", "reason"),
    [
        (97.0, Outcome.EQUIVALENT, ""),
        (
            99.0,
            Outcome.INCONCLUSIVE,
            f"not shown at or above the bar of 99.000 tokens/s: the interval reaches 97.195; {WOULD}",
        ),
        (103.0, Outcome.REGRESSED, "shown below the bar of 103.000 tokens/s"),
    ],
)
def test_a_rate_against_its_bar(bar, outcome, reason):
    """Student's interval over the windows; (7.25 · 1.645/1)² = 142 windows, and a few for t, at a bar 1 away."""
    verdict = decide_throughput(done(RATES), bar)

    expected = stats.ttest_1samp(RATES, 0).confidence_interval(0.90)
    assert (verdict.low, verdict.high) == pytest.approx((expected.low, expected.high))
    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert verdict.headline == (
        f"tokens_per_second 100.000 tokens/s (90% CI [97.195, 102.805], n=20 in 20 windows), bar {bar:.3f}"
    )
    assert (verdict.kind, verdict.method, verdict.counts) == ("throughput", "batch_means", Counts(20, 20))


def test_windows_are_as_long_as_the_answers():
    """40 answers, four at a time, of 10 s each are 100 s and 10 windows: more would look into single answers."""
    work = done([50] * 40, starts=tuple(10.0 * (place // 4) for place in range(40)), seconds=(10.0,) * 40)

    verdict = decide_throughput(work, 10.0)

    assert verdict.evidence["statistics"] == {"method": "batch_means", "windows": 10}
    assert verdict.candidate == pytest.approx(20.0)
    assert verdict.passed


def test_twenty_windows_are_enough():
    """60 answers one after another: three in each."""
    assert decide_throughput(done([50] * 59 + [51]), 1.0).evidence["statistics"]["windows"] == 20


@pytest.mark.parametrize(
    ("count", "span", "windows", "needed"),
    [(1, "2", "1 window", 5), (3, "6", "3 windows", 5), (4, "8", "4 windows", 5)],
)
def test_too_short_a_time_is_inconclusive(count, span, windows, needed):
    """No interval; the message says what gives one."""
    verdict = decide_throughput(done([50] * count, 2.0), 1.0)

    assert (verdict.outcome, verdict.low, verdict.needed_cases) == (Outcome.INCONCLUSIVE, None, needed)
    assert verdict.headline == f"tokens_per_second 25.000 tokens/s (n={count}), bar 1.000"
    assert verdict.reason == (
        f"the answers span {span} s, and 95% of them take up to 2 s: that is {windows}, and an interval needs 5; "
        "about 5 measured answers would give one"
    )


def test_one_batch_shows_no_spread():
    """32 answers that share their time are one window, however alike."""
    work = done([50] * 32, starts=(0.0,) * 32, seconds=(3.0,) * 32)

    assert decide_throughput(work, 1.0).outcome is Outcome.INCONCLUSIVE


def test_a_gap_counts_as_time():
    """Ten seconds of work, ten of something else: half the rate."""
    starts = tuple(float(place if place < 5 else place + 10) for place in range(10))

    assert decide_throughput(done([50] * 10, starts=starts), 25.0).candidate == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (
            done([50] * 90, fates=Fates(100, failed=10)),
            "10.0% of the answers are lost, more than 5% (10 failed, 0 without a measurement of 100)",
        ),
        (
            done([], fates=Fates(9, unmeasured=9, why="no times")),
            "no answer has a measurement (0 failed, 9 without a measurement of 9: no times)",
        ),
        (
            done([0] * 30),
            "no token was generated: the server counts none, or the cases have choices; bound requests_per_second",
        ),
        (done([5], 0.0), "no time passed from the first start to the last end"),
    ],
)
def test_what_was_not_measured_decides_nothing(work, reason):
    """Invalid, with the reason."""
    verdict = decide_throughput(work, 1.0)

    assert (verdict.outcome, verdict.headline, verdict.reason) == (
        Outcome.INVALID,
        "tokens_per_second cannot be decided",
        reason,
    )


def test_answers_of_an_earlier_run_are_refused():
    """All replayed."""
    verdict = decide_throughput(done([], fates=Fates(60, replayed=60)), 1.0)

    assert verdict.outcome is Outcome.INVALID
    assert verdict.reason.startswith("all 60 answers were replayed from an earlier run; their times say nothing")


@given(st.lists(st.floats(0, 100), min_size=5, max_size=40), st.floats(0, 120), st.floats(0, 120))
def test_a_higher_bar_is_never_easier(amounts, one, other):
    """What passes at a bar passes at any below."""
    order = [Outcome.EQUIVALENT, Outcome.INCONCLUSIVE, Outcome.REGRESSED]
    work = done([*amounts, 1.0])

    low, high = (decide_throughput(work, bar).outcome for bar in sorted((one, other)))

    assert order.index(low) <= order.index(high)


@pytest.mark.parametrize("bar", [97.0, 99.0, 103.0])
@pytest.mark.parametrize("work", [done(RATES), done([50] * 3), done([], fates=Fates(3, replayed=3))])
def test_the_verdict_is_kept_and_follows_from_its_evidence(work, bar):
    """Nothing else is needed, and another bar can be asked about."""
    verdict = decide_throughput(work, bar)
    through_json = json.loads(json.dumps(verdict_to_dict(verdict), allow_nan=False))

    assert verdict_from_dict(through_json) == verdict
    assert recompute(through_json["evidence"]) == verdict
    assert recompute(verdict.evidence, minimum=0.0).threshold == 0


def test_the_table_says_reached():
    """Large rates have no exponent."""
    reached = decide_throughput(done(np.array(RATES) * 123.0), 9000.0)

    assert row(Gate("test_x.py::test_fast", reached)) == (
        "test_x.py::test_fast tokens_per_second", "bar 9000", "12300", "-", "[11955, 12645]", "-", "20", "reached",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bar", "error", "message"),
    [
        (-1, ValueError, r"tokens_per_second=-1; expected a number of tokens/s, 0 or more"),
        (math.nan, ValueError, r"tokens_per_second=nan; expected a number of tokens/s, 0 or more"),
        ([1], TypeError, r"tokens_per_second=\[1\]; expected a number of tokens/s"),
    ],
)
def test_bars_that_cannot_be_meant(bar, error, message):
    """Each message names the argument."""
    with pytest.raises(error, match=message):
        decide_throughput(done(RATES), bar)
