"""Recalling: the answers of a recorded baseline that go with a case set as it is asked now."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.case import Case
from pytest_llmval.records.baseline import asked_hash, read_answers, read_baseline
from pytest_llmval.servers.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from pytest_llmval.case_sets.case import CaseSet
    from pytest_llmval.records.baseline import Answer, RecordedFile
    from pytest_llmval.records.response_set import Conditions

ByCase = dict[str, tuple["Answer", ...]]


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a recorded baseline has of a case set."""

    case_set: CaseSet
    conditions: Conditions
    """How the answers were asked for, then."""
    answers: Mapping[str, tuple[Answer, ...]]
    """By case, those to the same question."""
    gone: tuple[str, ...] = ()
    """Cases that were answered and that the case set no longer has."""

    def responses(self, trials: int) -> tuple[Response, ...]:
        """A response for each case that has one, in file order, with at most so many trials; then the gone ones.

        A case that is gone has no question to score its answer by: its response says so, and it counts as missing.
        """
        found = (self.response(case, trials) for case in self.case_set)
        return (*(each for each in found if each is not None), *map(_gone, self.gone))

    def response(self, case: Case, trials: int) -> Response | None:
        """The response to one case, None when there is none."""
        answers = self.answers.get(case.id, ())[:trials]
        attached = tuple(replace(each.response, case=case, replayed=True) for each in answers)
        return attached[0].with_case(case, attached) if attached else None

    def obstacles(self, now: Conditions, vary: Collection[str]) -> list[str]:
        """How a single answer was asked for otherwise than now, other than by the rest of the data set."""
        then, asked = asdict(self.conditions), asdict(now)
        return [
            f"{axis} differs: {then[axis]} -> {asked[axis]}; --llmval-vary {axis} allows it"
            for axis in ("prompt", "decoding", "batching")
            if then[axis] != asked[axis] and axis not in vary
        ]


def _gone(case_id: str) -> Response:
    return Response.failed("the case set no longer has this case").with_case(Case(case_id, {}, ""), ())


class Recollection:
    """A recorded baseline that is read as it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.baseline = read_baseline(folder)
        self._answers: dict[str, ByCase] = {}
        self._recalled: dict[tuple[int, Conditions], Recalled] = {}

    def recall(self, case_set: CaseSet, now: Conditions) -> Recalled:
        """What there is of a case set that is asked under the conditions ``now``.

        Args:
            case_set: The case set; it lives as long as the suite that made it.
            now: How it is asked today.

        Raises:
            StoreError: If the recorded answers cannot be read, or were changed.
        """
        name = (id(case_set), now)
        if name not in self._recalled:
            self._recalled[name] = self._recall(case_set, now)
        return self._recalled[name]

    def _recall(self, case_set: CaseSet, now: Conditions) -> Recalled:
        file = self._counterpart(case_set, now)
        if file is None:
            known = ", ".join(each.conditions.dataset for each in self.baseline.files)
            return Recalled(case_set, replace(now, dataset=f"(none recorded; there are {known})"), {})
        answers = self._read(file)
        is_same_template = file.conditions.prompt == now.prompt
        kept = {
            case.id: answers[case.id]
            for case in case_set
            if case.id in answers and (_is_asked(case, answers[case.id]) or not is_same_template)
        }
        return Recalled(
            case_set, file.conditions, kept, tuple(each for each in answers if each not in case_set.positions)
        )

    def _read(self, file: RecordedFile) -> ByCase:
        if file.file not in self._answers:
            by_case: dict[str, list[Answer]] = {}
            for answer in read_answers(self.baseline.folder, file):
                by_case.setdefault(answer.case_id, []).append(answer)
            self._answers[file.file] = {case_id: tuple(answers) for case_id, answers in by_case.items()}
        return self._answers[file.file]

    def _counterpart(self, case_set: CaseSet, now: Conditions) -> RecordedFile | None:
        """The answers to this case set: under these conditions, else those to a set of its name that are nearest.

        Nearest are those to the same cases, and among them the ones whose conditions differ least: the gate then
        names what changed.
        """
        named = [each for each in self.baseline.files if _name(each.conditions) == _name(now)]
        same = [each for each in named if each.conditions == now]
        return max(same or named, key=lambda file: self._nearness(file, case_set, now), default=None)

    def _nearness(self, file: RecordedFile, case_set: CaseSet, now: Conditions) -> tuple[int, int, bool]:
        then, asked = asdict(file.conditions), asdict(now)
        alike = [_variant(file.conditions) == _variant(now), *(then[axis] == asked[axis] for axis in asked)]
        shared = sum(case_id in case_set.positions for case_id in self._read(file))
        return shared, sum(alike), then["prompt"] == asked["prompt"]


def _is_asked(case: Case, answers: tuple[Answer, ...]) -> bool:
    """Whether the answers are to the case's question; a case may have been edited under its id."""
    return answers[0].asked == asked_hash(case.prompt, case.choices)


def _name(conditions: Conditions) -> str:
    """Name of the data set: `faq` of `faq@3f2a9c1d`."""
    return conditions.dataset.rpartition("@")[0]


def _variant(conditions: Conditions) -> str:
    """Name of the prompt's variant: `short` of `short 3f2a9c1d04be`."""
    return conditions.prompt.rpartition(" ")[0]
