"""A verdict again, from its evidence alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_llmval.scoring.calibration import Confidences
from pytest_llmval.verdicts.calibration import decide_calibrated
from pytest_llmval.verdicts.equivalence import decide_equivalence
from pytest_llmval.verdicts.evidence import scores_from_dict
from pytest_llmval.verdicts.improvement import decide_improvement
from pytest_llmval.verdicts.latency import decide_latency, durations_from_dict
from pytest_llmval.verdicts.limit import Measured, decide_limit
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.same_answers import decide_same_answers
from pytest_llmval.verdicts.threshold import decide_at_least, decide_at_most
from pytest_llmval.verdicts.throughput import decide_throughput, work_from_dict
from pytest_llmval.verdicts.trials import decide_trials, trial_from_dict
from pytest_llmval.verdicts.verdict import Verdict


def recompute(evidence: dict[str, Any], **parameters: Any) -> Verdict:
    """The verdict that the evidence gives, with ``parameters`` in place of its own, for example another margin.

    Prompts and answers of the worst cases are empty: the evidence does not hold them.

    Raises:
        ValueError: If the kind of evidence is unknown.
    """
    kind = evidence["kind"]
    if kind not in _DECISIONS:
        msg = f"evidence of kind {kind!r}; expected one of {', '.join(map(repr, _DECISIONS))}"
        raise ValueError(msg)
    return _DECISIONS[kind](evidence, evidence["parameters"] | parameters)


Decision = Callable[[dict[str, Any], dict[str, Any]], Verdict]


def _of_two_sides(decide: Callable[..., Verdict]) -> Decision:
    def decision(evidence: dict[str, Any], parameters: dict[str, Any]) -> Verdict:
        sides = (scores_from_dict(evidence[side]) for side in ("candidate", "baseline"))
        return decide(*sides, **parameters)

    return decision


def _of_candidate(decide: Callable[..., Verdict]) -> Decision:
    return lambda evidence, parameters: decide(scores_from_dict(evidence["candidate"]), **parameters)


def _calibrated(evidence: dict[str, Any], parameters: dict[str, Any]) -> Verdict:
    sides = (scores_from_dict(evidence[side]) for side in ("candidate", "correct"))
    return decide_calibrated(Confidences(*sides), **parameters)


def _limit(evidence: dict[str, Any], parameters: dict[str, Any]) -> Verdict:
    measured = Measured(evidence["metric"], parameters["limit"], evidence["value"], evidence["compared"])
    return decide_limit(measured, undecided=evidence["undecided"])


def _trials(evidence: dict[str, Any], parameters: dict[str, Any]) -> Verdict:
    return decide_trials(list(map(trial_from_dict, evidence["trials"])), **parameters)


def _latency(evidence: dict[str, Any], parameters: dict[str, Any]) -> Verdict:
    return decide_latency(durations_from_dict(evidence["measured"]), **parameters)


def _throughput(evidence: dict[str, Any], parameters: dict[str, Any]) -> Verdict:
    return decide_throughput(work_from_dict(evidence["measured"]), **parameters)


_DECISIONS: dict[str, Decision] = {
    "no_regression": _of_two_sides(decide_regression),
    "improved": _of_two_sides(decide_improvement),
    "equivalent": _of_two_sides(decide_equivalence),
    "same_answers": _of_two_sides(decide_same_answers),
    "at_least": _of_candidate(decide_at_least),
    "at_most": _of_candidate(decide_at_most),
    "calibrated": _calibrated,
    "limit": _limit,
    "trials": _trials,
    "latency": _latency,
    "throughput": _throughput,
}
