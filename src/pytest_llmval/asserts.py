"""The gates: decide, keep the verdict with the run, raise when it fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmval.current import current_run, current_test
from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.score import Scores
from pytest_llmval.verdicts.family import gate_alpha
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.threshold import decide_at_least, decide_at_most
from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from pytest_llmval.verdicts.verdict import Verdict

ALPHA = 0.05
"""One-sided level of a gate, hence two-sided 90 % intervals."""


def assert_no_regression(candidate: Scores, baseline: Scores, *, margin: float = 0.05) -> Verdict:
    """The candidate is shown to be no worse than the baseline by more than a margin.

    Scores are paired by case. The gate passes when the two-sided 90 % interval of the mean difference lies above
    −margin, and fails when the candidate is significantly worse and the loss may exceed the margin. Otherwise it is
    inconclusive: recorded, and the test goes on; a test that then passes is reported as skipped with the reason.

    Args:
        candidate: Scores of the version under test.
        baseline: Scores of the version it is compared with, by the same metric on the same cases.
        margin: Largest loss that is acceptable, in the unit of the metric; for shares 0.05 is 5 percentage points.

    Raises:
        ModelRegression: If the candidate is shown to be worse, or a `must_pass` case broke.
        InvalidComparison: If dataset, prompt, decoding or metric differ, more than 5 % of the cases are missing, or
            there are fewer than five clusters.
    """
    __tracebackhide__ = True
    _require_scores(candidate, baseline)
    run = current_run()
    verdict = decide_regression(
        candidate,
        baseline,
        margin=margin,
        alpha=ALPHA,
        alpha_adjusted=_adjusted_alpha(),
        vary=run.settings.vary if run else (),
    )
    return _conclude(verdict)


def assert_at_least(scores: Scores, minimum: float) -> Verdict:
    """The mean score is shown to reach a bar.

    The gate passes when the lower end of the two-sided 90 % interval reaches `minimum`, fails when the upper end is
    below it, and is inconclusive otherwise.

    Raises:
        ModelRegression: If the mean is shown to be below the bar.
        InvalidComparison: If more than 5 % of the cases failed or are unscored.
    """
    __tracebackhide__ = True
    _require_scores(scores)
    return _conclude(decide_at_least(scores, minimum, alpha=ALPHA))


def assert_at_most(scores: Scores, maximum: float) -> Verdict:
    """The mean score is shown to stay below a bar: `assert_at_least` for metrics where lower is better.

    Raises:
        ModelRegression: If the mean is shown to be above the bar.
        InvalidComparison: If more than 5 % of the cases failed or are unscored.
    """
    __tracebackhide__ = True
    _require_scores(scores)
    return _conclude(decide_at_most(scores, maximum, alpha=ALPHA))


def _require_scores(*given: object) -> None:
    __tracebackhide__ = True
    for each in given:
        if not isinstance(each, Scores):
            msg = f"expected scores, for example exact_match(responses), got {each!r:.80}"
            raise TypeError(msg)


def _adjusted_alpha() -> float:
    """The level at which the next gate may call a version regressed."""
    test = current_test()
    return gate_alpha(ALPHA, test.gates_in_run, len(test.verdicts) + 1) if test else ALPHA


def _conclude(verdict: Verdict) -> Verdict:
    __tracebackhide__ = True
    test = current_test()
    if test is not None:
        verdict = replace(verdict, evidence=verdict.evidence | {"test": test.nodeid, "gate": len(test.verdicts) + 1})
        test.verdicts.append(verdict)
    if verdict.outcome is Outcome.REGRESSED:
        raise ModelRegression(describe(verdict))
    if verdict.outcome is Outcome.INVALID:
        raise InvalidComparison(describe(verdict))
    return verdict


def describe(verdict: Verdict) -> str:
    """The headline, and the reason on lines of its own."""
    return "\n".join(part for part in (verdict.headline, verdict.reason) if part)
