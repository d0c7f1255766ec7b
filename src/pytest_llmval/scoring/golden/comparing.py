"""Answers against the goldens of one name, case by case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llmval.scoring.golden.comparability import changes_in_asking
from pytest_llmval.scoring.golden.json_likeness import paths_found, read_json
from pytest_llmval.scoring.golden.judging import judge
from pytest_llmval.scoring.golden.kept import Kept, nearest, of_case
from pytest_llmval.scoring.golden.tolerances import JsonLike
from pytest_llmval.scoring.golden.word_diff import share_changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llmval.scoring.golden.answer import Answer
    from pytest_llmval.scoring.golden.judging import Judgement
    from pytest_llmval.scoring.golden.kept import Facts
    from pytest_llmval.scoring.golden.measures import Measures
    from pytest_llmval.scoring.golden.tolerances import Tolerance


@dataclass(frozen=True, slots=True)
class Rule:
    """How answers are compared with their goldens."""

    tolerance: Tolerance
    measures: Measures
    facts: Facts
    """The environment of the answers."""
    per_environment: bool = False
    """Whether each environment has goldens of its own."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One answer beside its golden."""

    case: str | None
    golden: Kept
    actual: Answer
    judgement: Judgement | None
    """None when it was not judged, since what was asked changed."""
    changes: tuple[str, ...] = ()
    """What was asked otherwise."""

    @property
    def passed(self) -> bool:
        """Whether the answer agrees with its golden."""
        return self.judgement is not None and self.judgement.passed

    @property
    def is_undecided(self) -> bool:
        """Whether nothing can be said of the answer."""
        return self.judgement is None or self.judgement.is_undecided

    @property
    def badness(self) -> tuple[bool, float]:
        """What sorts those that differ: larger is worse."""
        if self.judgement is None or self.judgement.is_undecided:
            return False, 0.0
        if self.judgement.likeness is not None:
            return True, -self.judgement.likeness
        return True, share_changed(self.golden.answer.text or "", self.actual.text or "")


@dataclass(frozen=True, slots=True)
class Finding:
    """All answers of one assertion beside the goldens of its name."""

    compared: tuple[Compared, ...]
    """In the order of the answers."""
    missing: tuple[str | None, ...] = ()
    """Cases without a golden, or without one of this environment."""
    known: tuple[Facts, ...] = field(default=())
    """Of a golden per environment that is missing: the environments there are goldens of."""
    gone: tuple[str, ...] = ()
    """Cases that have a golden and are not asked any more."""

    @property
    def passed(self) -> bool:
        """Whether every answer has a golden that it agrees with, and every golden an answer."""
        return not self.missing and self.only_misses

    @property
    def only_misses(self) -> bool:
        """Whether nothing is wrong but that goldens are missing."""
        return not self.gone and all(each.passed for each in self.compared)

    @property
    def differing(self) -> list[Compared]:
        """Answers that do not pass, the worst first; those nothing can be said of come last."""
        return sorted((each for each in self.compared if not each.passed), key=lambda each: each.badness, reverse=True)

    @property
    def is_undecided(self) -> bool:
        """Whether no answer is shown to differ."""
        return all(each.is_undecided for each in self.differing)


def compare_answers(answers: Mapping[str | None, Answer], goldens: Sequence[Kept], rule: Rule) -> Finding:
    """Answers against the goldens of one name.

    Args:
        answers: By the id of their case; under None where it is one alone.
        goldens: All that the file has under the name.
        rule: How they are compared.

    Raises:
        TypeError: If the tolerance is for texts, and there is none.
        ValueError: If an ignored path means no place of any golden or answer.
    """
    pairs = {case: _golden_of(goldens, case, rule) for case in answers}
    compared = tuple(
        _compared(case, golden, answers[case], rule) for case, golden in pairs.items() if golden is not None
    )
    _refuse_paths_of_nothing(rule.tolerance, compared)
    missing = tuple(case for case, golden in pairs.items() if golden is None)
    known = [each.environment for each in goldens if each.case in missing]
    gone = dict.fromkeys(each.case for each in goldens if each.case is not None and each.case not in answers)
    return Finding(compared, missing, _distinct(known), tuple(map(str, gone)))


def accepted(answers: Mapping[str | None, Kept], goldens: Sequence[Kept], finding: Finding, rule: Rule) -> list[Kept]:
    """The goldens after the answers were accepted: those that still pass stay as they were.

    With one golden an environment, those of others stay too.
    """
    passed = {each.case: each.golden for each in finding.compared if each.passed}
    others = [
        each
        for each in goldens
        if rule.per_environment and each.case in answers and dict(each.environment) != dict(rule.facts)
    ]
    return [*others, *(passed.get(case, new) for case, new in answers.items())]


def _golden_of(goldens: Sequence[Kept], case: str | None, rule: Rule) -> Kept | None:
    found = of_case(goldens, case)
    if rule.per_environment:
        found = [each for each in found if dict(each.environment) == dict(rule.facts)]
    return nearest(found, rule.facts)


def _compared(case: str | None, golden: Kept, actual: Answer, rule: Rule) -> Compared:
    changes = changes_in_asking(golden.answer, actual)
    judgement = None if changes else judge(rule.tolerance, golden.answer, actual, rule.measures)
    return Compared(case, golden, actual, judgement, changes)


def _distinct(environments: Iterable[Facts]) -> tuple[Facts, ...]:
    return tuple({tuple(sorted(each.items())): each for each in environments}.values())


def _refuse_paths_of_nothing(tolerance: Tolerance, compared: Sequence[Compared]) -> None:
    if not isinstance(tolerance, JsonLike) or not tolerance.ignore:
        return
    texts = {side.text for each in compared if not each.changes for side in (each.golden.answer, each.actual)}
    known = [found for text in texts if (found := _paths_in(text or "", tolerance)) is not None]
    for each in tolerance.ignore:
        if known and not any(each in found for found in known):
            msg = f"ignore={each!r}: no such place in the golden or in the answer; a typo would ignore nothing for ever"
            raise ValueError(msg)


def _paths_in(text: str, tolerance: JsonLike) -> set[str] | None:
    """The ignored paths that a text has; None when it is no JSON."""
    try:
        return paths_found(read_json(text), tolerance.paths)
    except (ValueError, RecursionError):
        return None
