"""A verdict again, from its evidence alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.calibration import Confidences
from pytest_llmval.verdicts.calibration import decide_calibrated
from pytest_llmval.verdicts.evidence import scores_from_dict
from pytest_llmval.verdicts.limit import Measured, decide_limit
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.threshold import decide_at_least, decide_at_most

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.verdicts.verdict import Verdict

_KINDS = ("no_regression", "at_least", "at_most", "limit", "calibrated")


def recompute(evidence: dict[str, Any], **parameters: float) -> Verdict:
    """The verdict that the evidence gives, with ``parameters`` in place of its own, for example another margin.

    Prompts and answers of the worst cases are empty: the evidence does not hold them.

    Raises:
        ValueError: If the kind of evidence is unknown.
    """
    chosen = evidence["parameters"] | parameters
    if evidence["kind"] == "no_regression":
        candidate, baseline = (scores_from_dict(evidence[side]) for side in ("candidate", "baseline"))
        return decide_regression(candidate, baseline, **chosen)
    if evidence["kind"] == "calibrated":
        sides = (scores_from_dict(evidence[side]) for side in ("candidate", "correct"))
        return decide_calibrated(Confidences(*sides), **chosen)
    if evidence["kind"] == "limit":
        measured = Measured(evidence["metric"], chosen["limit"], evidence["value"], evidence["compared"])
        return decide_limit(measured, undecided=evidence["undecided"])
    bars: dict[str, Callable[..., Verdict]] = {"at_least": decide_at_least, "at_most": decide_at_most}
    if evidence["kind"] not in bars:
        msg = f"evidence of kind {evidence['kind']!r}; expected one of {', '.join(map(repr, _KINDS))}"
        raise ValueError(msg)
    return bars[evidence["kind"]](scores_from_dict(evidence["candidate"]), **chosen)
