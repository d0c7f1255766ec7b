"""The gates: decide, keep the verdict with the run, raise when it fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmval.current import current_run, current_test
from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.calibration import Confidences
from pytest_llmval.scoring.same_answers import same_answers
from pytest_llmval.scoring.score import Scores
from pytest_llmval.servers.exchange import Response
from pytest_llmval.statistics.calibration.bins import BINS
from pytest_llmval.verdicts.calibration import decide_calibrated
from pytest_llmval.verdicts.equivalence import decide_equivalence
from pytest_llmval.verdicts.family import gate_alpha
from pytest_llmval.verdicts.improvement import decide_improvement
from pytest_llmval.verdicts.perplexity import ONE_PERCENT, decide_perplexity
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.same_answers import decide_same_answers
from pytest_llmval.verdicts.slices import labels_by
from pytest_llmval.verdicts.threshold import decide_at_least, decide_at_most
from pytest_llmval.verdicts.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.verdicts.estimand import Estimand
    from pytest_llmval.verdicts.verdict import Verdict

ALPHA = 0.05
"""One-sided level of a gate, hence two-sided 90 % intervals."""


def assert_no_regression(
    candidate: Scores,
    baseline: Scores,
    *,
    margin: float = 0.05,
    relative_margin: float | None = None,
    estimand: Estimand = "population",
    by: str | None = None,
) -> Verdict:
    """The candidate is shown to be no worse than the baseline by more than a margin.

    Scores are paired by case. The gate passes when the two-sided 90 % interval of the mean difference lies above
    −margin, and fails when the candidate is significantly worse and the loss may exceed the margin. Otherwise it is
    inconclusive: recorded, and the test goes on; a test that then passes is reported as skipped with the reason.

    Args:
        candidate: Scores of the version under test.
        baseline: Scores of the version it is compared with, by the same metric on the same cases.
        margin: Largest loss that is acceptable, in the unit of the metric; for shares 0.05 is 5 percentage points.
        relative_margin: The same as a share of the baseline's value, in (0, 1), in place of `margin`: 0.02 accepts a
            loss of 2 % of what the baseline scores.
        estimand: `population` speaks of cases like these, `suite` of exactly these, where only the noise between
            trials of a case counts; it needs `cases(..., trials=2)` or more.
        by: Also report the change for each tag (`by="tag"`), or for each value of a field of the cases. Slices decide
            nothing; those that are worse are named, at most one in twenty of them wrongly (Benjamini and Hochberg).

    Raises:
        ModelRegression: If the candidate is shown to be worse, or a `must_pass` case broke.
        InvalidComparison: If dataset, prompt, decoding or metric differ, more than 5 % of the cases are missing, or
            there are fewer than five clusters.
    """
    __tracebackhide__ = True
    limits = {"margin": margin, "relative_margin": relative_margin}
    return _compared(decide_regression, candidate, baseline, estimand=estimand, by=by, **limits)


def assert_improved(
    candidate: Scores,
    baseline: Scores,
    *,
    minimum: float = 0.0,
    estimand: Estimand = "population",
    by: str | None = None,
) -> Verdict:
    """The candidate is shown to be better than the baseline, by more than `minimum`.

    The gate passes when the two-sided 90 % interval of the mean difference lies above `minimum`, fails when it is
    shown to lie below, and is inconclusive otherwise: equal versions are never shown to have improved.

    Args:
        candidate: As for `assert_no_regression`.
        baseline: As for `assert_no_regression`.
        minimum: Gain to be exceeded, in the unit of the metric.
        estimand: As for `assert_no_regression`.
        by: As for `assert_no_regression`.

    Raises:
        ModelRegression: If the candidate is shown not to improve that much, or a `must_pass` case broke.
        InvalidComparison: As for `assert_no_regression`.
    """
    __tracebackhide__ = True
    return _compared(decide_improvement, candidate, baseline, estimand=estimand, by=by, minimum=minimum)


def assert_equivalent(
    candidate: Scores,
    baseline: Scores,
    *,
    margin: float = 0.05,
    relative_margin: float | None = None,
    estimand: Estimand = "population",
    by: str | None = None,
) -> Verdict:
    """The candidate is shown to score as the baseline does: neither worse nor better by more than a margin.

    For versions that should be the same, such as another engine or dtype. The gate passes when the whole two-sided
    90 % interval of the mean difference lies within ±margin, and fails when a difference to either side is
    significant and may exceed the margin. The arguments are those of `assert_no_regression`.

    Raises:
        ModelRegression: If the versions are shown to differ, or a `must_pass` case broke.
        InvalidComparison: As for `assert_no_regression`.
    """
    __tracebackhide__ = True
    limits = {"margin": margin, "relative_margin": relative_margin}
    return _compared(decide_equivalence, candidate, baseline, estimand=estimand, by=by, **limits)


def assert_same_answers(
    candidate: Iterable[Response],
    baseline: Iterable[Response],
    *,
    max_share: float = 0.0,
    normalise: Callable[[str], str] | None = None,
) -> Verdict:
    """Both versions give the same answers; those that differ are listed.

    Scores may agree although many answers changed. Compared are the chosen option of a multiple-choice case, else the
    text, trial by trial. A case the candidate failed is a difference; one the baseline failed is left out.

    Args:
        candidate: Responses of the version under test.
        baseline: Responses of the version it is compared with.
        max_share: Share of cases like these that may be answered differently; the gate passes when the two-sided
            90 % interval shows it, fails when it shows the opposite, and is inconclusive otherwise. By default none
            of exactly these cases may.
        normalise: What is done to a text before it is compared, for example `str.strip`.

    Raises:
        ModelRegression: If answers differ.
        InvalidComparison: As for `assert_no_regression`.
    """
    __tracebackhide__ = True
    require_responses(candidate, baseline)
    found = same_answers(candidate, baseline, normalise)
    _require_sides(found.scores, found.baseline)
    return _conclude(
        decide_same_answers(
            found.scores, found.baseline, flips=found.flips, max_share=max_share, alpha=ALPHA, vary=_vary()
        )
    )


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
    return _compared(decide_perplexity, candidate, baseline, margin=margin)


def _compared(
    decide: Callable[..., Verdict], candidate: Scores, baseline: Scores, *, by: str | None = None, **limits: object
) -> Verdict:
    """Ask, at the levels of this run and with what may vary in it."""
    __tracebackhide__ = True
    _require_scores(candidate, baseline)
    _require_sides(candidate, baseline)
    slices = {} if by is None else {"slices": labels_by(baseline, by) | labels_by(candidate, by)}
    levels = {"alpha": ALPHA, "alpha_adjusted": _adjusted_alpha()}
    return _conclude(decide(candidate, baseline, vary=_vary(), **levels, **limits, **slices))


def _vary() -> tuple[str, ...]:
    """What may differ between the versions in this run."""
    run = current_run()
    return run.settings.vary if run else ()


def assert_at_least(scores: Scores, minimum: float, *, estimand: Estimand = "population") -> Verdict:
    """The mean score is shown to reach a bar.

    The gate passes when the lower end of the two-sided 90 % interval reaches `minimum`, fails when the upper end is
    below it, and is inconclusive otherwise.

    Args:
        scores: Scores of the version under test.
        minimum: The bar, in the metric's unit and within its bounds.
        estimand: As for `assert_no_regression`.

    Raises:
        ModelRegression: If the mean is shown to be below the bar.
        InvalidComparison: If more than 5 % of the cases failed or are unscored.
    """
    __tracebackhide__ = True
    _require_scores(scores)
    return _conclude(decide_at_least(scores, minimum, alpha=ALPHA, estimand=estimand))


def assert_at_most(scores: Scores, maximum: float, *, estimand: Estimand = "population") -> Verdict:
    """The mean score is shown to stay below a bar: `assert_at_least` for metrics where lower is better.

    Raises:
        ModelRegression: If the mean is shown to be above the bar.
        InvalidComparison: If more than 5 % of the cases failed or are unscored.
    """
    __tracebackhide__ = True
    _require_scores(scores)
    return _conclude(decide_at_most(scores, maximum, alpha=ALPHA, estimand=estimand))


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


def require_responses(*given: object) -> None:
    """Refuse what holds no responses, such as their scores."""
    __tracebackhide__ = True
    for each in given:
        if not _holds_responses(each):
            msg = f"expected responses, for example the fixtures responses and baseline_responses, got {each!r:.80}"
            raise TypeError(msg)


def _holds_responses(given: object) -> bool:
    if isinstance(given, Scores) or not isinstance(given, Iterable):
        return False
    # Looking into an iterator would use it up.
    return isinstance(given, Iterator) or all(isinstance(each, Response) for each in given)


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
    stop_if_failed(verdict)
    return verdict


def stop_if_failed(verdict: Verdict) -> None:
    """Raise what a verdict that stops a version raises."""
    __tracebackhide__ = True
    if verdict.outcome is Outcome.REGRESSED:
        raise ModelRegression(describe(verdict))
    if verdict.outcome is Outcome.INVALID:
        raise InvalidComparison(describe(verdict))


def describe(verdict: Verdict) -> str:
    """The headline, and the reason on lines of its own."""
    return "\n".join(part for part in (verdict.headline, verdict.reason) if part)
