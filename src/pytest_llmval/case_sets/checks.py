"""Checks of the data that are no errors: each finding is a warning, given once a run."""

from __future__ import annotations

import os
import warnings
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.message import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.case_sets.case import Case, CaseSet

SHOWN = 3
FEW = 10
"""Below this many cases one-sided labels are no finding."""


class LlmvalDataWarning(UserWarning):
    """A case set can be used, but something in it looks like a mistake."""


LlmvalDataWarning.__module__ = "pytest_llmval"


def warn_about(case_set: CaseSet, *, has_reference: bool) -> None:
    """One warning a finding; under xdist only the first worker gives them."""
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
        return
    for finding in findings(case_set, has_reference=has_reference):
        # The frames: this function, cases(), the suite.
        warnings.warn(f"{case_set.name}: {finding}", LlmvalDataWarning, stacklevel=3)


def findings(case_set: CaseSet, *, has_reference: bool) -> Iterator[str]:
    """What looks like a mistake in the data, one sentence each."""
    if has_reference:
        yield from _empty_references(case_set)
    yield from _duplicate_prompts(case_set)
    yield from _one_sided(case_set)


def _empty_references(case_set: CaseSet) -> Iterator[str]:
    empty = [case for case in case_set if case.reference in (None, "")]
    if empty:
        yield f"{len(empty)} of {len(case_set)} cases have an empty reference ({_places(empty)}); they stay unscored"


def _duplicate_prompts(case_set: CaseSet) -> Iterator[str]:
    same: defaultdict[tuple[object, ...], list[Case]] = defaultdict(list)
    for case in case_set:
        same[(as_text(case.prompt), case.choices)].append(case)
    repeated = [group for group in same.values() if len(group) > 1]
    if repeated:
        examples = "; ".join(_places(group) for group in repeated[:SHOWN])
        yield f"{len(repeated)} prompts occur more than once ({examples}); such cases are not independent"


def _one_sided(case_set: CaseSet) -> Iterator[str]:
    answers = Counter(case.answer for case in case_set if case.answer is not None)
    if len(case_set) >= FEW and len(answers) == 1:
        index = next(iter(answers))
        yield f"the right option is always number {index} of the choices; a model that prefers one place looks perfect"


def _places(found: list[Case]) -> str:
    shown = ", ".join(case.source for case in found[:SHOWN])
    return shown if len(found) <= SHOWN else f"{shown}, …"
