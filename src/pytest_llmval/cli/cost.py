"""`llmval cost`: what a month of production would cost, from the tokens that a run measured."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pytest_llmval.cli.runs import find_run, run_notes, workplace
from pytest_llmval.errors import SettingsError
from pytest_llmval.planning import UNKNOWN, money
from pytest_llmval.reports.terminal import table
from pytest_llmval.servers.opening import price_of
from pytest_llmval.statistics.differences.paired import paired_t_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llmval.cli.runs import Workplace
    from pytest_llmval.records.store import LocalStore
    from pytest_llmval.servers.exchange import Usage
    from pytest_llmval.servers.remote.budget import Price
    from pytest_llmval.statistics.intervals import Interval

Asked: TypeAlias = tuple[str, str, object]
"""Case set, case and prompt: two case sets may ask the same cases in other words."""
SECONDS_A_MONTH = 86_400 * 365.25 / 12
COLUMNS = ("version", "cases", "tokens in", "tokens out", "USD per 1,000", "USD a month", "90% CI")
LEAST_CASES = 2
THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests of production."""

    qps: float
    """A second, on average over the month."""

    @property
    def a_month(self) -> float:
        """In a month of average length."""
        return self.qps * SECONDS_A_MONTH


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of a request, the mean over the trials of a case."""

    read: float
    written: float

    def cost(self, price: Price) -> float:
        """US dollars."""
        return price.of_tokens(self.read, self.written)


@dataclass(frozen=True, slots=True)
class Projection:
    """What requests like those of a run cost, served by one version."""

    version: str
    usages: Mapping[Asked, Tokens]
    """Of a request, by case."""
    prices: Price | None
    """None where nobody knows."""

    @property
    def dollars(self) -> dict[Asked, float]:
        """US dollars of one request, by case."""
        return {} if self.prices is None else {case: each.cost(self.prices) for case, each in self.usages.items()}

    def row(self, rate: Rate) -> tuple[str, ...]:
        """The row of a table, in the order of COLUMNS."""
        tokens = self.usages.values()
        counted = (
            f"{len(tokens):,}",
            f"{statistics.fmean(each.read for each in tokens):.1f}",
            f"{statistics.fmean(each.written for each in tokens):.1f}",
        )
        return (self.version, *counted, *self._money(rate))

    def _money(self, rate: Rate) -> tuple[str, str, str]:
        each = list(self.dollars.values())
        if not each:
            return (UNKNOWN, UNKNOWN, "-")
        mean, interval = statistics.fmean(each), _interval(each)
        shown = "-" if interval is None else _range(interval, rate)
        return (money(mean * THOUSAND), money(mean * rate.a_month), shown)


def _interval(values: Sequence[float]) -> Interval | None:
    """Of the mean over cases like these; None for a single one."""
    return paired_t_interval(values) if len(values) >= LEAST_CASES else None


def _range(interval: Interval, rate: Rate) -> str:
    return f"[{money(max(0.0, interval.low) * rate.a_month)}, {money(interval.high * rate.a_month)}]"


def cost_lines(
    run: str, qps: float, *, input_price: float | None, output_price: float | None, store: str | None
) -> Iterator[str]:
    """The table of a run's versions, and what the candidate costs beside the baseline.

    Args:
        run: Id of the run, the beginning of one, or `latest`.
        qps: Requests a second, on average over the month.
        input_price: US dollars a million tokens in, in place of what the settings file or the price map says.
        output_price: The same for tokens out.
        store: Folder of the record store.

    Raises:
        SettingsError: If there is no such run, it measured no tokens, or no price is known.
    """
    if not math.isfinite(qps):
        msg = f"--qps {qps}: expected requests a second, above 0"
        raise SettingsError(msg)
    place = workplace(store)
    run_id = find_run(place.store, run)
    yield from run_notes(place.store, run_id)
    said = _said(input_price, output_price)
    measured = usages_of(place.store, run_id)
    if not measured:
        msg = f"run {run_id} counted no tokens; expected answers to a case set of a server that counts them"
        raise SettingsError(msg)
    projections = [
        Projection(version, usages, said or _price(place, version)) for version, usages in sorted(measured.items())
    ]
    _refuse_unpriced(projections)
    rate = Rate(qps)
    yield f"llmval: run {run_id} at {qps:g} requests a second, {rate.a_month:,.0f} a month"
    yield from table([COLUMNS, *(each.row(rate) for each in projections)])
    yield from _change(place.store, run_id, projections, rate)


def _said(input_price: float | None, output_price: float | None) -> Price | None:
    if input_price is None and output_price is None:
        return None
    if input_price is None or output_price is None:
        msg = "one of --input-price and --output-price is missing; expected both, in US dollars a million tokens"
        raise SettingsError(msg)
    from pytest_llmval.servers.remote.budget import Price

    return Price(input_price, output_price)


def _price(place: Workplace, version: str) -> Price | None:
    """The price of a version, as the settings file or the price map knows it; None where neither does."""
    model = place.config.models.get(version)
    return None if model is None or (model.is_free and model.input_price is None) else price_of(model)


def _refuse_unpriced(projections: Sequence[Projection]) -> None:
    """Raise SettingsError where no version has a price: the table would say nothing."""
    if not any(each.prices for each in projections):
        names = ", ".join(repr(each.version) for each in projections)
        msg = (
            f"nobody knows what {names} costs: write input_price and output_price, US dollars a million tokens, into "
            "its entry in [models], or give --input-price and --output-price"
        )
        raise SettingsError(msg)


def usages_of(store: LocalStore, run_id: str) -> dict[str, dict[Asked, Tokens]]:
    """Mean tokens of a request by version and case; direct calls and answers without counted tokens are left out."""
    found: dict[str, dict[Asked, list[Usage]]] = defaultdict(lambda: defaultdict(list))
    for record in store.responses(run_id):
        if record.case_id and record.response.error is None and record.response.usage.total:
            case = (record.case_set, record.case_id, record.request.prompt)
            found[record.version][case].append(record.response.usage)
    return {version: {case: _mean(trials) for case, trials in cases.items()} for version, cases in found.items()}


def _mean(usages: Sequence[Usage]) -> Tokens:
    """Over the trials of a case."""
    return Tokens(
        statistics.fmean(usage.prompt_tokens for usage in usages),
        statistics.fmean(usage.completion_tokens for usage in usages),
    )


def _change(store: LocalStore, run_id: str, projections: Sequence[Projection], rate: Rate) -> Iterator[str]:
    """The difference of candidate and baseline over the cases that both answered."""
    manifest = store.read_manifest(run_id)
    by_version = {each.version: each.dollars for each in projections}
    candidate, baseline = (by_version.get(manifest.get(side) or "", {}) for side in ("candidate", "baseline"))
    both = [case for case in candidate if case in baseline]
    if manifest.get("baseline") and len(both) < LEAST_CASES:
        versions = f"{manifest['baseline']} -> {manifest['candidate']}"
        yield f"{versions}: no difference, since this run knows what one of them costs alone"
    if len(both) < LEAST_CASES:
        return
    differences = [candidate[case] - baseline[case] for case in both]
    interval, mean = paired_t_interval(differences), statistics.fmean(differences)
    before = statistics.fmean(baseline[case] for case in both)
    share = f" ({mean / before:+.1%})" if before else ""
    low, high = (f"{bound * rate.a_month:+,.2f}" for bound in (interval.low, interval.high))
    yield (
        f"{manifest['baseline']} -> {manifest['candidate']}: {mean * rate.a_month:+,.2f} USD a month{share}, "
        f"90% CI [{low}, {high}], over {len(both):,} cases that both answered"
    )
