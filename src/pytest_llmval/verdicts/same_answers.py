"""Same answers: whether two versions answer alike, and which cases they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.verdicts import comparable
from pytest_llmval.verdicts.evidence import scores_to_dict
from pytest_llmval.verdicts.pairing import pair_up
from pytest_llmval.verdicts.threshold import decide_at_least
from pytest_llmval.verdicts.verdict import CaseChange, Outcome, Verdict
from pytest_llmval.verdicts.wording import LONGEST_HEADLINE, against, counted, invalid_headline, naming, shorten

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_llmval.scoring.same_answers import Flip

SHOWN_FLIPS = 20
"""Flips kept with prompt and answers; the evidence names all of them."""


def decide_same_answers(
    candidate: Scores,
    baseline: Scores,
    *,
    flips: Sequence[Flip] = (),
    max_share: float = 0.0,
    alpha: float = 0.05,
    vary: Collection[str] = (),
) -> Verdict:
    """The verdict on "both versions give the same answers, but for a share of ``max_share`` of the cases".

    Args:
        candidate: 1 for each case answered alike, 0 for the others, as `scoring.same_answers.same_answers` gives them.
        baseline: The baseline's cases and conditions.
        flips: The cases answered differently.
        max_share: Share of cases like these that may be answered differently, in [0, 1). 0 speaks of exactly these
            cases: one flip fails, and none passes however few they are.
        alpha: One-sided level, in (0, 0.5), where a share is allowed.
        vary: What may differ between the sides, by the names of `Basis`.

    Returns:
        A verdict of kind `same_answers`; regressed means that answers differ.

    Raises:
        ValueError: If the share lies outside [0, 1).
    """
    if not 0 <= max_share < 1:
        msg = (
            f"max_share={max_share!r}; expected the share of cases that may be answered differently, from 0 to below 1"
        )
        raise ValueError(msg)
    pairing = pair_up(candidate, baseline)
    compared = _all_cases(candidate, baseline)
    if max_share == 0:  # of exactly these cases: how they hang together does not matter
        compared = replace(compared, clusters=None)
    verdict = replace(
        decide_at_least(compared, 1 - max_share, alpha=alpha),
        kind="same_answers",
        counts=pairing.counts,
        worst=tuple(map(_change, flips[:SHOWN_FLIPS])),
        evidence={
            "kind": "same_answers",
            "parameters": {"max_share": max_share, "alpha": alpha, "vary": sorted(vary)},
            "flips": [flip.id for flip in flips],
            "baseline": scores_to_dict(baseline),
            "candidate": scores_to_dict(candidate),
        },
    )
    found = comparable.obstacles(candidate, baseline, vary)
    if found:
        return replace(
            verdict, outcome=Outcome.INVALID, headline=invalid_headline(candidate, baseline), reason="; ".join(found)
        )
    if verdict.outcome is Outcome.INVALID:
        return replace(verdict, headline=invalid_headline(candidate, baseline))
    differing = [name for name, value in zip(compared.ids, compared.values, strict=True) if not _is_same(value)]
    named = replace(verdict, headline=_headline(verdict, differing, baseline))
    return _of_exactly_these(named, differing) if max_share == 0 else named


def _all_cases(candidate: Scores, baseline: Scores) -> Scores:
    """The candidate's cases, and as failed those that only the baseline was asked."""
    places = {name: place for place, name in enumerate(baseline.ids)}
    lacking = [name for name in baseline.ids if name not in set(candidate.ids)]
    clusters = baseline.clusters if candidate.clusters is not None else None
    flags = (False,) * len(lacking)
    return replace(
        candidate,
        ids=candidate.ids + tuple(lacking),
        values=candidate.values + (Unscored("not asked", failed=True),) * len(lacking),
        clusters=None
        if candidate.clusters is None or clusters is None
        else candidate.clusters + tuple(clusters[places[name]] for name in lacking),
        must_pass=None if candidate.must_pass is None else candidate.must_pass + flags,
        notes=None,
        by_trial=None,
        cases=None,
    )


def _is_same(value: float | Unscored) -> bool:
    """Whether the case is no flip; one without a baseline's answer is none."""
    return not value.failed if isinstance(value, Unscored) else value == 1


def _of_exactly_these(verdict: Verdict, differing: Sequence[str]) -> Verdict:
    """The outcome when no flip at all is allowed."""
    if not differing:
        return replace(verdict, outcome=Outcome.EQUIVALENT, reason="", needed_cases=None)
    reason = f"answered differently: {naming(differing)}"
    return replace(verdict, outcome=Outcome.REGRESSED, reason=reason, needed_cases=None)


def _headline(verdict: Verdict, differing: Sequence[str], baseline: Scores) -> str:
    same, compared = verdict.counts.compared - len(differing), verdict.counts.compared
    flips = f", {counted(len(differing), 'flip')}: {naming(differing)}" if differing else ""
    line = f"{verdict.metric}: {same} of {counted(compared, 'case')}{against(baseline)}{flips}"
    return shorten(line, LONGEST_HEADLINE)


def _change(flip: Flip) -> CaseChange:
    return CaseChange(
        id=flip.id,
        baseline=1.0,
        candidate=0.0,
        prompt=flip.note.prompt,
        expected=flip.note.expected,
        baseline_answer=flip.baseline_answer,
        candidate_answer=flip.note.answer,
    )
