"""Same answers: whether two versions answer alike, and which cases they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.verdicts import comparable
from pytest_llmval.verdicts.evidence import scores_to_dict
from pytest_llmval.verdicts.must_pass import unknown_reason
from pytest_llmval.verdicts.pairing import Column, pair_up, side_by_side
from pytest_llmval.verdicts.threshold import decide_at_least
from pytest_llmval.verdicts.verdict import CaseChange, Outcome, Verdict
from pytest_llmval.verdicts.wording import LONGEST_HEADLINE, against, counted, invalid_headline, naming, shorten

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_llmval.scoring.same_answers import Flip
    from pytest_llmval.scoring.score import CaseNote
    from pytest_llmval.verdicts.pairing import Pairing, Row

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
        flips: The answers of the cases answered differently, for the report.
        max_share: Share of cases like these that may be answered differently, in [0, 1). 0 speaks of exactly these
            cases: one flip fails, and none passes however few they are.
        alpha: One-sided level, in (0, 0.5), where a share is allowed.
        vary: What may differ between the sides, by the names of `Basis`.

    Returns:
        A verdict of kind `same_answers`; regressed means that answers differ.

    Raises:
        ValueError: If the share lies outside [0, 1), or the level is impossible.
    """
    if not 0 <= max_share < 1:
        msg = (
            f"max_share={max_share!r}; expected the share of cases that may be answered differently, from 0 to below 1"
        )
        raise ValueError(msg)
    joined = _joined(candidate, baseline)
    if max_share == 0:  # of exactly these cases: how they hang together does not matter
        joined = replace(joined, clusters=None)
    differing = [name for name, value in zip(joined.ids, joined.values, strict=True) if not _is_same(value)]
    pairing, parameters = pair_up(candidate, baseline), {"max_share": max_share, "alpha": alpha, "vary": sorted(vary)}
    verdict = replace(
        decide_at_least(joined, 1 - max_share, alpha=alpha),
        kind="same_answers",
        counts=pairing.counts,
        worst=_changes(differing[:SHOWN_FLIPS], joined, candidate, flips),
        evidence=_evidence(candidate, baseline, parameters, differing),
    )
    found = comparable.obstacles(candidate, baseline, vary)
    if found or verdict.outcome is Outcome.INVALID:
        return _without_numbers(verdict, "; ".join(found) or verdict.reason, invalid_headline(candidate, baseline))
    verdict = replace(verdict, headline=_headline(pairing, differing, candidate, baseline))
    return _of_exactly_these(verdict, pairing, differing) if max_share == 0 else verdict


def _joined(candidate: Scores, baseline: Scores) -> Scores:
    """The candidate's scores over the cases of both sides, none where the baseline has no answer."""
    rows = side_by_side(candidate, baseline)
    is_clustered = candidate.clusters is not None or baseline.clusters is not None
    return replace(
        candidate,
        ids=tuple(row.id for row in rows),
        values=tuple(row.ours if row.enters else _left_out(row) for row in rows),
        clusters=tuple(row.cluster for row in rows) if is_clustered else None,
        must_pass=tuple(row.must_pass for row in rows),
        notes=None,
        weights=None,
        by_trial=None,
        cases=None,
    )


def _left_out(row: Row) -> Unscored:
    """A case without an answer to compare with; that the candidate failed it as well does not count."""
    why = row.theirs if isinstance(row.theirs, Unscored) else row.ours
    return Unscored(why.reason if isinstance(why, Unscored) else "")


def _is_same(value: float | Unscored) -> bool:
    """Whether the case is no flip; one without a baseline's answer is none."""
    return not value.failed if isinstance(value, Unscored) else value == 1


def _evidence(
    candidate: Scores, baseline: Scores, parameters: dict[str, Any], differing: Sequence[str]
) -> dict[str, Any]:
    return {
        "kind": "same_answers",
        "parameters": parameters,
        "flips": list(differing),
        "baseline": scores_to_dict(baseline),
        "candidate": scores_to_dict(candidate),
    }


def _without_numbers(verdict: Verdict, reason: str, headline: str) -> Verdict:
    """Invalid."""
    bare = replace(verdict, candidate=None, low=None, high=None, method="", needed_cases=None, worst=())
    return replace(bare, outcome=Outcome.INVALID, headline=headline, reason=reason)


def _of_exactly_these(verdict: Verdict, pairing: Pairing, differing: Sequence[str]) -> Verdict:
    """The outcome when no flip at all is allowed."""
    if differing:
        reason = f"answered differently: {naming(differing)}"
        return replace(verdict, outcome=Outcome.REGRESSED, reason=reason, needed_cases=None)
    unseen = pairing.unscored_must_pass
    outcome, reason = (Outcome.INCONCLUSIVE, unknown_reason(unseen)) if unseen else (Outcome.EQUIVALENT, "")
    return replace(verdict, outcome=outcome, reason=reason, needed_cases=None)


def _headline(pairing: Pairing, differing: Sequence[str], candidate: Scores, baseline: Scores) -> str:
    same, compared = pairing.counts.compared - len(differing), pairing.counts.compared
    flips = f", {counted(len(differing), 'flip')}: {naming(differing)}" if differing else ""
    line = f"{candidate.name}: {same} of {counted(compared, 'case')}{against(baseline)}{flips}"
    return shorten(line, LONGEST_HEADLINE)


def _changes(ids: Sequence[str], joined: Scores, candidate: Scores, flips: Sequence[Flip]) -> tuple[CaseChange, ...]:
    """These cases with both answers, as far as they are known."""
    values, notes, answers = Column(joined), Column(candidate), {flip.id: flip for flip in flips}
    return tuple(_change(name, values.value(name), notes.note(name), answers.get(name)) for name in ids)


def _change(name: str, value: float | Unscored, note: CaseNote, flip: Flip | None) -> CaseChange:
    note = flip.note if flip else note
    return CaseChange(
        id=name,
        baseline=1.0,
        candidate=None if isinstance(value, Unscored) else value,
        prompt=note.prompt,
        expected=note.expected,
        baseline_answer=flip.baseline_answer if flip else "",
        candidate_answer=f"no answer: {value.reason}" if isinstance(value, Unscored) else note.answer,
    )
