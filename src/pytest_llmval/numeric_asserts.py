"""The gates below the text: weights, logits and layers of two versions, each kept as a verdict with the run."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from pytest_llmval.asserts import keep
from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors import divergence, logits, weights
from pytest_llmval.scoring.tensors.layers import compare as layers
from pytest_llmval.scoring.tensors.layers.report import LayerReport
from pytest_llmval.scoring.tensors.wording import apart, counted
from pytest_llmval.verdicts.limit import Measured, decide_limit
from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.comparison import Comparison
    from pytest_llmval.scoring.tensors.divergence import DivergenceReport
    from pytest_llmval.scoring.tensors.logits import LogitComparison
    from pytest_llmval.verdicts.verdict import Verdict

P = ParamSpec("P")
R = TypeVar("R")
Arguments = Mapping[str, Any]
"""What a check was given, by name, defaults included."""


def _gate(check: Callable[P, R], measure: Callable[[R, Arguments], Measured], metric: str) -> Callable[P, Verdict]:
    """A check of tensors as a gate: it returns a verdict, which is kept with the run whatever it is.

    Args:
        check: Returns a report, or raises with one.
        measure: The number and the words of a report.
        metric: What is measured; the limit is 0 unless `measure` says so.
    """
    signature = inspect.signature(check)

    @functools.wraps(check)
    def gate(*args: P.args, **kwargs: P.kwargs) -> Verdict:
        __tracebackhide__ = True
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        error: ModelRegression | InvalidComparison | None = None
        try:
            report: Any = check(*args, **kwargs)
        except (ModelRegression, InvalidComparison) as raised:
            report, error = raised.report, raised
        measured = measure(report, given.arguments) if report is not None else Measured(metric, 0.0)
        verdict = keep(_decided(measured, report, error))
        if error is not None and verdict.outcome is not Outcome.INCONCLUSIVE:
            raise error
        return verdict

    return gate


def _decided(measured: Measured, report: Any, error: AssertionError | None) -> Verdict:
    if not measured.headline:
        headline, _, rest = str(error if error is not None else report).partition("\n")
        measured = replace(measured, headline=headline, reason="" if report is not None else rest)
    return decide_limit(measured, undecided=isinstance(report, LayerReport) and report.undecided)


def _weights(found: Comparison, _: Arguments) -> Measured:
    differing = None if found.undecided else float(len(found.failures))
    return Measured("differing weights", 0.0, differing, compared=len(found.tensors))


def _kl(found: LogitComparison, given: Arguments) -> Measured:
    at, limit = given["at"], float(given["limit"])
    summary = getattr(found, given["measure"])
    value = float(summary.mean if at == "mean" else summary.quantile(at))
    names = {"kl": "KL", "kl_reverse": "reverse KL", "js": "JS"}
    metric = f"mean {names[given['measure']]}" if at == "mean" else f"{100 * at:g} % {names[given['measure']]}"
    shown, allowed = apart(value, limit)
    headline = f"{metric} {shown} nats/token, allowed {allowed} ({counted(found.positions, 'position')})"
    return Measured(metric, limit, value, found.positions, headline=headline, details={"table": str(found)})


def _flips(found: DivergenceReport, _: Arguments) -> Measured:
    return Measured("flips", 0.0, float(found.flips), found.positions, headline=found.headline)


def _layers(found: LayerReport, _: Arguments) -> Measured:
    return Measured(
        metric="faulty stages",
        limit=0.0,
        value=float(len(found.culprits)) if found.stages else None,
        compared=len(found.stages),
        headline=found.headline,
        reason=found.context,
        details={"report": found.to_dict(), "table": str(found)},
    )


assert_weights_match = _gate(weights.assert_weights_match, _weights, "differing weights")
assert_kl_below = _gate(logits.assert_kl_below, _kl, "KL")
assert_no_flips = _gate(divergence.assert_no_flips, _flips, "flips")
assert_layers_close = _gate(layers.assert_layers_close, _layers, "faulty stages")
