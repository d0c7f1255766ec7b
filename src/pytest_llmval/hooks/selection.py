"""Which cases of a set some selected test needs: a server that is paid by the answer is asked for no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmval.stash import CASE, SELECTION, decoration_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmval.case_sets.case import Case, CaseSet


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep the items that were left after deselection; every worker has the same."""
    selection: Callable[[CaseSet], set[str] | None] = Selection(session.items)
    session.config.stash[SELECTION] = selection


class Selection:
    """The cases that items need; looked up only when a remote server is asked."""

    def __init__(self, items: Sequence[pytest.Item]) -> None:
        self._items = items
        self._needed: dict[object, set[str] | None] | None = None
        """For each case set the ids that are needed, None for all."""

    def __call__(self, case_set: CaseSet) -> set[str] | None:
        """Ids of the cases that are needed; None for all of them."""
        if self._needed is None:
            self._needed = self._look()
        return self._needed.get(_question(case_set))

    def _look(self) -> dict[object, set[str] | None]:
        needed: dict[object, set[str] | None] = {}
        for item in self._items:
            decoration = decoration_of(item)
            if decoration is None:
                continue
            question = _question(decoration.case_set)
            known = needed.setdefault(question, set())
            if decoration.mode == "all":
                needed[question] = None
            elif known is not None:
                known.add(_case_of(item).id)
        return needed


def _question(case_set: CaseSet) -> object:
    """What two case sets share that ask the same, in two files for example."""
    return case_set.dataset_hash, case_set.prompt_hash, case_set.decoding, case_set.trials


def _case_of(item: Any) -> Case:
    """The case that the item was parametrised with."""
    case: Case = item.callspec.params[CASE]
    return case
