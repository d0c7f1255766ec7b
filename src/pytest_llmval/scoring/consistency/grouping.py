"""Groups: the answer to a case beside the answers to its perturbations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.records.response_set import ResponseSet
from pytest_llmval.scoring.scored import case_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response


@dataclass(frozen=True, slots=True)
class Group:
    """A case that was answered, and its perturbations."""

    id: str
    original: Response
    perturbed: tuple[Response | None, ...]
    """None for a perturbation without a response: a recorded baseline may lack it."""


def groups_of(responses: Sequence[Response]) -> list[Group]:
    """Each case that has a response, in order, with all its perturbations.

    Raises:
        ValueError: If a response belongs to no case, none is to a perturbation, or the case that one was made from is
            not among them.
    """
    by_id = {case_of(each).id: each for each in responses}
    asked = responses.case_set if isinstance(responses, ResponseSet) else [case_of(each) for each in responses]
    members: dict[str, list[Response | None]] = {case.id: [] for case in asked if case.origin is None}
    for case in asked:
        if case.origin is not None:
            _members_with(members, case).append(by_id.get(case.id))
    if not any(members.values()):
        msg = "no response is to a perturbation; ask a perturbed case set, such as faq.perturbed(typos())"
        raise ValueError(msg)
    return [Group(each, by_id[each], tuple(others)) for each, others in members.items() if each in by_id]


def _members_with(members: dict[str, list[Response | None]], case: Case) -> list[Response | None]:
    """Those that the case belongs to."""
    if case.origin not in members:
        msg = f"there is a response to {case.id!r}, but none to {case.origin!r}, which it was made from"
        raise ValueError(msg)
    return members[case.origin]
