"""Checks of the data that are no errors: each finding is a warning, given once a run."""

from __future__ import annotations

import os
import warnings
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.case_sets.case import Case, CaseSet

SHOWN = 3
FEW = 10
"""Below this many cases one-sided labels are no finding."""
ONE_SIDED = 0.95
"""Share of one label from which a model that always gives it looks good."""


class LlmvalDataWarning(UserWarning):
    """A case set can be used, but something in it looks like a mistake."""


LlmvalDataWarning.__module__ = "pytest_llmval"


def warn_about(case_set: CaseSet, *, has_reference: bool) -> None:
    """One warning a finding; under xdist only the first worker gives them."""
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
        return
    asked = case_set.variants.values() or (case_set,)
    found = (finding for each in asked for finding in findings(each, has_reference=has_reference))
    for finding in dict.fromkeys(found):
        # The frames: this function, cases(), the suite.
        warnings.warn(f"{case_set.name}: {finding}", LlmvalDataWarning, stacklevel=3)


def findings(case_set: CaseSet, *, has_reference: bool) -> Iterator[str]:
    """What looks like a mistake in the data, one sentence each."""
    if has_reference:
        yield from _empty_references(case_set)
    yield from _duplicate_prompts(case_set)
    yield from _one_sided(case_set)


def _empty_references(case_set: CaseSet) -> Iterator[str]:
    empty = [case for case in case_set if case.reference is None or _is_blank(case.reference)]
    if empty:
        yield f"{len(empty)} of {len(case_set)} cases have an empty reference ({_places(empty)}); they stay unscored"


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _duplicate_prompts(case_set: CaseSet) -> Iterator[str]:
    same: defaultdict[tuple[object, ...], list[Case]] = defaultdict(list)
    for case in case_set:
        same[(case.prompt, case.choices)].append(case)
    repeated = [group for group in same.values() if len(group) > 1 and not _is_one_cluster(group)]
    if repeated:
        examples = "; ".join(_places(group) for group in repeated[:SHOWN])
        many = "1 prompt occurs" if len(repeated) == 1 else f"{len(repeated)} prompts occur"
        yield f"{many} more than once ({examples}); such cases are not independent"


def _is_one_cluster(group: list[Case]) -> bool:
    """Whether the author said that these cases depend on each other."""
    return group[0].cluster is not None and len({case.cluster for case in group}) == 1


def _one_sided(case_set: CaseSet) -> Iterator[str]:
    """The first of place, option and reference that is the same nearly everywhere."""
    right = [(case.answer, case.choices[case.answer]) for case in case_set if case.answer is not None]
    references = [case.reference for case in case_set if isinstance(case.reference, str | int)]
    kinds: tuple[tuple[str, list[object], str], ...] = (
        ("right option stands at index", [index for index, _ in right], "prefers one place"),
        ("right option is", [option for _, option in right], "always says so"),
        ("reference is", [each for each in references if not _is_blank(each)], "always says so"),
    )
    for what, labels, habit in kinds:
        label, count = Counter(labels).most_common(1)[0] if len(labels) >= FEW else (None, 0)
        if labels and count >= ONE_SIDED * len(labels):
            yield f"the {what} {label!r} in {count} of {len(labels)} cases; a model that {habit} looks good"
            return


def _places(found: list[Case]) -> str:
    shown = ", ".join(case.source for case in found[:SHOWN])
    return shown if len(found) <= SHOWN else f"{shown}, …"
