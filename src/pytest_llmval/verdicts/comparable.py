"""Refusal: what keeps two sides from being compared, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.estimate import FEWEST_CLUSTERS
from pytest_llmval.verdicts.pairing import Column
from pytest_llmval.verdicts.wording import counted, naming, shorten

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.pairing import Pairing
    from pytest_llmval.verdicts.verdict import Counts

FEWEST_WEIGHT = 100
"""Fewer tokens (words, bytes) than this are no text to measure a loss on."""
LARGEST_LOST_SHARE = 0.05
"""A gate that lost more of its cases than this says nothing."""

_METRIC_FIELDS = {
    "name": "metric name",
    "kind": "metric kind",
    "unit": "unit",
    "higher_is_better": "direction (higher is better)",
    "bounds": "bounds",
}
_HINTS = {"protocol tokenization": "; bits_per_byte(llm, texts) compares across tokenizers"}


def obstacles(candidate: Scores, baseline: Scores, vary: Collection[str] = ()) -> list[str]:
    """Why the two sides measure different things, each with both values, baseline -> candidate; empty when they do not.

    ``vary`` names what may differ: `dataset`, `prompt`, `decoding`, `metric`, `judge`, `batching`, `protocol`.
    """
    found = [
        _differs(label, getattr(baseline, name), getattr(candidate, name))
        for name, label in _METRIC_FIELDS.items()
        if getattr(baseline, name) != getattr(candidate, name)
    ]
    if baseline.basis is not None and candidate.basis is not None:
        changed = baseline.basis.differences(candidate.basis)
        found += [
            _differs(name, *values) + _HINTS.get(name, "")
            for name, values in changed.items()
            if axis_of(name) not in vary
        ]
    return found + list(_mismatched_cases(candidate, baseline))


def axis_of(name: str) -> str:
    """What a field of `Basis` belongs to: `metric` for `metric version`, `protocol` for each of its parts."""
    return name.partition(" ")[0]


def shortfalls(pairing: Pairing, *, clustered: bool) -> list[str]:
    """Why the paired cases give no estimate; empty when they do."""
    answered = pairing.answered
    if not answered:
        return [f"no case has a score on both sides{_lost(pairing.counts)}"]
    homeless = [pair.id for pair in pairing.pairs if pair.candidate is None]
    clusters = [pair.cluster for pair in answered] if clustered else None
    return [
        *([f"the candidate failed and the metric has no worst value to count: {naming(homeless)}"] if homeless else []),
        *too_much_lost(pairing.counts),
        *too_few_clusters(clusters),
    ]


def infinite_values(*sides: Scores) -> list[str]:
    """The sentence for values without a mean."""
    rows = [row for scores in sides for row in zip(scores.ids, scores.values, strict=True)]
    ids = dict.fromkeys(name for name, value in rows if not isinstance(value, Unscored) and math.isinf(value))
    return [f"infinite values have no mean: {naming(list(ids))}"] if ids else []


def too_much_lost(counts: Counts) -> list[str]:
    """The sentence for a gate that lost more than 5 % of its cases."""
    if counts.lost_share <= LARGEST_LOST_SHARE:
        return []
    return [f"{counts.lost_share:.1%} of the cases are lost, more than {LARGEST_LOST_SHARE:.0%}{_lost(counts)}"]


def too_few_clusters(clusters: Sequence[str] | None) -> list[str]:
    """The sentence for clusters too few to show a spread; None stands for no clusters declared."""
    if clusters is None or len(set(clusters)) >= FEWEST_CLUSTERS:
        return []
    count = len(set(clusters))
    return [f"{counted(count, 'cluster')}; an interval needs at least {FEWEST_CLUSTERS}"]


def too_little_weight(pairing: Pairing, unit: str) -> list[str]:
    """The sentence for a text too short to measure a loss on; ``unit`` is that of the metric, `nats/token`."""
    total = sum(pair.weight for pair in pairing.answered)
    if total >= FEWEST_WEIGHT:
        return []
    return [
        f"{total:g} {unit.rpartition('/')[2] or 'case'}s are scored; a weighted mean needs at least {FEWEST_WEIGHT}"
    ]


def _lost(counts: Counts) -> str:
    return f" ({counts.failed} failed, {counts.unscored} unscored, {counts.missing} missing of {counts.cases})"


def _differs(label: str, before: object, after: object) -> str:
    return f"{label} differs: {shorten(_shown(before), 60)} -> {shorten(_shown(after), 60)}"


def _shown(value: object) -> str:
    return str(value) or "(none)"


def _mismatched_cases(candidate: Scores, baseline: Scores) -> Iterator[str]:
    ours, theirs = Column(candidate), Column(baseline)
    common = [case_id for case_id in baseline.ids if case_id in ours.places]
    if not common:
        yield f"no case id occurs on both sides (baseline has {len(baseline.ids)}, candidate {len(candidate.ids)})"
    if baseline.clusters is not None and candidate.clusters is not None:
        moved = [case_id for case_id in common if ours.cluster(case_id) != theirs.cluster(case_id)]
        if moved:
            yield f"cluster differs for {naming(moved)}"
    if baseline.weights is not None and candidate.weights is not None:
        reweighed = [case_id for case_id in common if ours.weight(case_id) != theirs.weight(case_id)]
        if reweighed:
            yield f"weight differs for {naming(reweighed)}"
