"""ResponseSet: the answers of one model version to one case set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from pytest_llmval.case_sets.case import CaseSet
    from pytest_llmval.servers.exchange import Response


@dataclass(frozen=True, slots=True)
class Conditions:
    """How answers were asked for. Answers to be compared were given under the same conditions."""

    dataset: str
    """Name and short hash of the case set."""
    prompt: str
    """Short hash of template, system text and examples, after the name of the variant when there are several."""
    decoding: str
    """The decoding parameters, spelt out."""
    batching: str
    """How requests were cut into batches."""


def conditions_of(case_set: CaseSet, batching: str) -> Conditions:
    """The conditions of a case set that is asked now."""
    return Conditions(case_set.label, case_set.prompt_label, str(case_set.decoding), batching)


@dataclass(frozen=True, eq=False)
class ResponseSet(Sequence["Response"]):
    """One response a case, in file order; `response.case` is its case and `response.trials` its trials."""

    case_set: CaseSet
    responses: tuple[Response, ...]
    version: str
    """Name of the model version."""
    conditions: Conditions
    model: tuple[tuple[str, str], ...] = ()
    """The fingerprint of the version, by part."""

    @overload
    def __getitem__(self, index: int) -> Response: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Response, ...]: ...
    def __getitem__(self, index: int | slice) -> Response | tuple[Response, ...]:
        """A response by the position of its case."""
        return self.responses[index]

    def __len__(self) -> int:
        """Number of cases, never times trials."""
        return len(self.responses)

    def __repr__(self) -> str:
        """Which answers these are, without the answers."""
        return f"<{len(self)} responses of {self.version} to {self.case_set.label}>"
