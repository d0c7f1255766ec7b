"""The gates of speed: how long answers take, and how many come a second, each bound kept as a verdict with the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pytest_llmval.asserts import ALPHA, keep, require_responses, stop_if_failed
from pytest_llmval.scoring.serving.measuring import durations, work
from pytest_llmval.verdicts.latency import decide_latency
from pytest_llmval.verdicts.throughput import decide_throughput

if TYPE_CHECKING:
    from pytest_llmval.scoring.serving.measuring import Of
    from pytest_llmval.servers.exchange import Response
    from pytest_llmval.verdicts.verdict import Verdict


def assert_latency(
    responses: Iterable[Response],
    *,
    of: Of = "total",
    p50: float | None = None,
    p90: float | None = None,
    p95: float | None = None,
    p99: float | None = None,
    mean: float | None = None,
) -> Verdict:
    """Percentiles of the time that answers take are shown to stay below bars.

    Each bar is a gate with a verdict of its own. It passes when the upper end of the two-sided 90 % interval of that
    percentile is at most the bar, fails when the lower end lies above it, and is inconclusive otherwise. The interval
    holds whatever the distribution: its ends are measured times. p95 has an upper end from 59 answers on, p99 from
    299.

    Each trial of a case is a measurement, and an answer that failed is infinitely slow. Answers that a local engine
    computed in one batch share their times and are one measurement. Replayed answers are none.

    Args:
        responses: Answers of the version under test; also a list that `llm.generate` gave.
        of: `total`, from sending the request that was answered to the end of its answer; `first_token`, until its
            first text (`streams = true`); `per_token`, as `time_per_token`; `queue`, the wait before it was sent.
        p50: Bar for the median, in seconds.
        p90: Bar for the 90th percentile, in seconds.
        p95: Bar for the 95th percentile, in seconds.
        p99: Bar for the 99th percentile, in seconds.
        mean: Bar for the mean, in seconds, by Student's interval; it has none when an answer failed.

    Returns:
        The verdict; of several the first that is inconclusive, else the first.

    Raises:
        ModelRegression: If a time is shown to be above its bar, after all bars have their verdicts.
        InvalidComparison: If more than 5 % of the answers failed or have no such time, or none was measured in this
            run.
    """
    __tracebackhide__ = True
    bars = {"p50": p50, "p90": p90, "p95": p95, "p99": p99, "mean": mean}
    given = {name: bar for name, bar in bars.items() if bar is not None}
    _require_bars(given, "p95=2.0", bars)
    require_responses(responses)
    measured = durations(responses, of)
    return _conclude_all([decide_latency(measured, name, bar, alpha=ALPHA) for name, bar in given.items()])


def assert_throughput(
    responses: Iterable[Response], *, tokens_per_second: float | None = None, requests_per_second: float | None = None
) -> Verdict:
    """The tokens generated, or the requests answered, a second of wall time are shown to reach a bar.

    The rate is that from the first start to the last end of the answers that were measured in this run, with as many
    at a time as the version's `concurrency` allows. Gaps count as time: the end of a block, when fewer run at a time,
    and requests of other case sets that came in between.

    The interval is that of batch means: the time is cut into 20 equal windows, or as many as are no shorter than 95 %
    of the answers take, and the work of each answer spread evenly over its time. The gate passes when the lower end
    of the two-sided 90 % interval reaches the bar, fails when the upper end is below it, and is inconclusive
    otherwise, or with fewer than 5 windows.

    Args:
        responses: Answers of the version under test.
        tokens_per_second: Bar for completion tokens.
        requests_per_second: Bar for requests.

    Returns:
        The verdict; of two the first that is inconclusive, else the first.

    Raises:
        ModelRegression: If a rate is shown to be below its bar, after both have their verdicts.
        InvalidComparison: If more than 5 % of the answers failed or have no time, none was measured in this run, or
            no token was counted.
    """
    __tracebackhide__ = True
    bars = {"tokens_per_second": tokens_per_second, "requests_per_second": requests_per_second}
    given = {name: bar for name, bar in bars.items() if bar is not None}
    _require_bars(given, "tokens_per_second=200", bars)
    require_responses(responses)
    answers = responses if isinstance(responses, Sequence) else list(responses)
    measured = {name: work(answers, tokens=name == "tokens_per_second") for name in given}
    return _conclude_all([decide_throughput(measured[name], bar, alpha=ALPHA) for name, bar in given.items()])


def _require_bars(given: dict[str, float], example: str, known: Iterable[str]) -> None:
    __tracebackhide__ = True
    if not given:
        msg = f"no bar was given; expected one of {', '.join(known)}, for example {example}"
        raise ValueError(msg)


def _conclude_all(decided: list[Verdict]) -> Verdict:
    """Keep all before the first that failed raises."""
    __tracebackhide__ = True
    kept = [keep(verdict) for verdict in decided]
    for verdict in kept:
        stop_if_failed(verdict)
    return next((verdict for verdict in kept if not verdict.passed), kept[0])
