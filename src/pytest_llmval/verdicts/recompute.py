"""A verdict again, from its evidence alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.verdicts.evidence import scores_from_dict
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.threshold import decide_at_least, decide_at_most

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.verdicts.verdict import Verdict


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
    bars: dict[str, Callable[..., Verdict]] = {"at_least": decide_at_least, "at_most": decide_at_most}
    if evidence["kind"] not in bars:
        msg = f"evidence of kind {evidence['kind']!r}; expected 'no_regression', 'at_least' or 'at_most'"
        raise ValueError(msg)
    return bars[evidence["kind"]](scores_from_dict(evidence["candidate"]), **chosen)
