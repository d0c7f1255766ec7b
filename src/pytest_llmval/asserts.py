"""The gates: decide, keep the verdict with the run, raise when it fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmval.current import current_run, current_test
from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.calibration import Confidences
from pytest_llmval.scoring.score import Scores
from pytest_llmval.statistics.calibration_bins import BINS
from pytest_llmval.verdicts.calibration import decide_calibrated
from pytest_llmval.verdicts.family import gate_alpha
from pytest_llmval.verdicts.perplexity import ONE_PERCENT, decide_perplexity
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
    _require_sides(candidate, baseline)
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


def assert_perplexity_not_worse(candidate: Scores, baseline: Scores, *, margin: float = ONE_PERCENT) -> Verdict:
    """The perplexity of all texts together is shown not to rise by more than a margin, by default one percent.

    `assert_no_regression` with two differences: each document counts by its tokens, so that the loss is that of the
    corpus, and fewer than 100 tokens are refused. The interval comes from documents, or the clusters they declare,
    never from tokens as if they were independent; a few documents that outweigh the others widen it.

    Args:
        candidate: `perplexity(llm, texts)` or `bits_per_byte(llm, texts)` of the version under test.
        baseline: The same of the version it is compared with, by the same protocol.
        margin: Largest rise that is tolerated, in the unit of the scores: ln(1.01) nats a token is 1 % of perplexity.

    Raises:
        ModelRegression: If the candidate is shown to be worse, and not shown to stay within the margin.
        InvalidComparison: If texts, tokenization, windows or BOS differ, more than 5 % of the documents are missing,
            there are fewer than five clusters, or fewer than 100 tokens.
    """
    __tracebackhide__ = True
    _require_scores(candidate, baseline)
    _require_sides(candidate, baseline)
    run = current_run()
    verdict = decide_perplexity(
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


def assert_calibrated(
    confidences: Confidences,
    *,
    level: float = ALPHA,
    detectable: float = 0.05,
    power: float = 0.80,
    bins: int = BINS,
) -> Verdict:
    """Answers given with confidence c are right in a share c of cases, as far as the cases can show.

    The calibration error is compared with that of a calibrated model of the same confidences, not with a fixed bar:
    a perfect model nearly always shows more than 0.05 with 100 cases. The gate fails when the error would come up
    with a chance of at most `level`, passes when it would not and the cases would have shown an excess of confidence
    of `detectable` with a chance of at least `power`, and is inconclusive otherwise.

    Args:
        confidences: `choice_confidence(responses)`.
        level: Chance of failing a calibrated model.
        detectable: Excess of confidence that must not stay unseen, in (0, 1).
        power: Chance of seeing it that is asked for, in (0, 1).
        bins: Most bins, of equal mass.

    Raises:
        ModelRegression: If the confidences are shown to be wrong.
        InvalidComparison: If more than 5 % of the cases failed or are unscored, or there are fewer than five clusters.
    """
    __tracebackhide__ = True
    given: object = confidences  # callers may not check types
    if not isinstance(given, Confidences):
        msg = f"expected confidences, for example choice_confidence(responses), got {given!r:.80}"
        raise TypeError(msg)
    return _conclude(decide_calibrated(confidences, level=level, detectable=detectable, power=power, bins=bins))


def _require_scores(*given: object) -> None:
    __tracebackhide__ = True
    for each in given:
        if not isinstance(each, Scores):
            msg = f"expected scores, for example exact_match(responses), got {each!r:.80}"
            raise TypeError(msg)


def _require_sides(candidate: Scores, baseline: Scores) -> None:
    """Refuse scores of the run's own versions on the wrong side, which would show the opposite, or nothing."""
    __tracebackhide__ = True
    run = current_run()
    versions = run.settings if run else None
    if versions is None or versions.candidate is None or versions.baseline is None:
        return
    ours, theirs = versions.candidate.name, versions.baseline.name
    if ours == theirs or {candidate.version, baseline.version} - {ours, theirs}:
        return
    if (candidate.version, baseline.version) != (ours, theirs):
        msg = (
            f"the candidate's scores are those of {candidate.version!r} and the baseline's those of "
            f"{baseline.version!r}; expected {ours!r} first and {theirs!r} second"
        )
        raise ValueError(msg)


def _adjusted_alpha() -> float:
    """The level at which the next gate may call a version regressed."""
    test = current_test()
    return gate_alpha(ALPHA, test.gates_in_run, len(test.verdicts) + 1) if test else ALPHA


def keep(verdict: Verdict) -> Verdict:
    """The verdict as one of the test that runs now; outside pytest it is kept nowhere."""
    test = current_test()
    if test is not None:
        verdict = replace(verdict, evidence=verdict.evidence | {"test": test.nodeid, "gate": len(test.verdicts) + 1})
        test.verdicts.append(verdict)
    return verdict


def _conclude(verdict: Verdict) -> Verdict:
    __tracebackhide__ = True
    verdict = keep(verdict)
    if verdict.outcome is Outcome.REGRESSED:
        raise ModelRegression(describe(verdict))
    if verdict.outcome is Outcome.INVALID:
        raise InvalidComparison(describe(verdict))
    return verdict


def describe(verdict: Verdict) -> str:
    """The headline, and the reason on lines of its own."""
    return "\n".join(part for part in (verdict.headline, verdict.reason) if part)
