"""Slices: what a gate found, told apart by label. They are reported, and decide nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llmval.statistics.multiplicity import benjamini_hochberg
from pytest_llmval.verdicts.comparable import too_few_clusters
from pytest_llmval.verdicts.reading import read
from pytest_llmval.verdicts.rule import is_below
from pytest_llmval.verdicts.verdict import Slice
from pytest_llmval.verdicts.wording import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.estimate import Estimate
    from pytest_llmval.verdicts.pairing import Pair
    from pytest_llmval.verdicts.question import Labels, Question
    from pytest_llmval.verdicts.reading import Reading
    from pytest_llmval.verdicts.wording import Scale

_SMALLEST_P = 1e-12
_HALVINGS = 40
_NAMED = 3


def labels_by(scores: Scores, by: str) -> dict[str, tuple[str, ...]]:
    """The slices of each case: its tags for ``by="tag"``, else the value of that field.

    Raises:
        ValueError: If the scores have no cases to read it from, or no case has it.
    """
    if scores.cases is None:
        msg = f"{scores.name}: by={by!r} needs the cases of the scores; expected a metric of `responses`"
        raise ValueError(msg)
    labels = {case.id: case.tags if by == "tag" else _field(case.fields.get(by)) for case in scores.cases}
    if not any(labels.values()):
        what = "no case has a tag" if by == "tag" else f"no case has a field {by!r}"
        msg = f"{scores.name}: by={by!r}, but {what}; expected {_expected(scores.cases)}"
        raise ValueError(msg)
    return labels


def _expected(cases: Sequence[Case]) -> str:
    """What these cases could be told apart by."""
    names = ["tag"] if any(case.tags for case in cases) else []
    names += sorted({name for case in cases for name in case.fields})
    return f"one of {', '.join(map(repr, names))}" if names else "cases with tags or fields"


def _field(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


def slices_of(question: Question, pairs: tuple[Pair, ...]) -> tuple[Slice, ...]:
    """Each label's own change, most likely worse first; their p-values are adjusted for how many there are."""
    members = _members(pairs, question.slices or {})
    readings = {name: read(question, own) for name, own in members.items() if _is_enough(question, own)}
    values = benjamini_hochberg([worse_p(each.change.difference) for each in readings.values()])
    adjusted = dict(zip(readings, values, strict=True))
    found = [_slice(question, name, own, readings.get(name), adjusted.get(name)) for name, own in members.items()]
    return tuple(sorted(found, key=lambda each: (2.0 if each.p_adjusted is None else each.p_adjusted, each.name)))


def _members(pairs: tuple[Pair, ...], labels: Labels) -> dict[str, tuple[Pair, ...]]:
    members: dict[str, list[Pair]] = {}
    for pair in pairs:
        for label in dict.fromkeys(labels.get(pair.id, ())):
            members.setdefault(label, []).append(pair)
    return {name: tuple(own) for name, own in sorted(members.items())}


def _is_enough(question: Question, pairs: tuple[Pair, ...]) -> bool:
    if question.weighted and not any(pair.weight for pair in pairs):
        return False
    return not (question.is_clustered and too_few_clusters([pair.cluster for pair in pairs]))


def _slice(
    question: Question, name: str, pairs: tuple[Pair, ...], reading: Reading | None, p_adjusted: float | None
) -> Slice:
    if reading is None:
        return Slice(name, len(pairs))
    interval = reading.change.difference.interval(question.rule.levels.confidence)
    return Slice(
        name,
        len(pairs),
        baseline=reading.means[0],
        candidate=reading.means[1],
        delta=reading.change.difference.value,
        low=interval.low,
        high=interval.high,
        p_adjusted=p_adjusted,
    )


def worse_p(estimate: Estimate) -> float:
    """One-sided p-value of "worse": the smallest level at which the interval lies below 0; 1 where none does."""
    if not is_below(estimate, _confidence(0.4999)):
        return 1.0
    low, high = _SMALLEST_P, 0.4999
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_below(estimate, _confidence(middle)) else (middle, high)
    return high


def _confidence(alpha: float) -> float:
    return 1 - 2 * alpha


def worse_slices_reason(slices: Sequence[Slice], scale: Scale) -> str:
    """The sentence for slices that are worse, empty when none is."""
    worse = [each for each in slices if each.is_worse]
    if not worse:
        return ""
    named = ", ".join(_told(each, scale) for each in worse[:_NAMED])
    others = f" and {len(worse) - _NAMED} more" if len(worse) > _NAMED else ""
    return f"worse in {'this slice' if len(worse) == 1 else 'these slices'}: {named}{others}"


def _told(found: Slice, scale: Scale) -> str:
    delta = scale.change_with_unit(found.delta or 0.0)
    return f"{shorten(found.name, 40)} ({delta}, n={found.cases}, adjusted p={found.p_adjusted:.2g})"
