"""References: the acceptable answers of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.score import Unscored

if TYPE_CHECKING:
    from pytest_llmval.case_sets.case import Case

NO_REFERENCE = Unscored("the case has no reference")


def reference_values(case: Case) -> tuple[Any, ...]:
    """The acceptable references: those of a list or tuple, else the only one; None is no reference."""
    given = case.reference
    values = given if isinstance(given, list | tuple) else (given,)
    return tuple(value for value in values if value is not None)


def reference_texts(case: Case) -> tuple[str, ...]:
    """The acceptable references as text, without the blank ones."""
    return tuple(text for value in reference_values(case) if (text := str(value)).strip())
