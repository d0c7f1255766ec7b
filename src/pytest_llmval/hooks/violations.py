"""A counter-example is shown in full where a test asserts that there is none."""

from __future__ import annotations

import sys


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """The lines of `assert search_violation(...) is None`."""
    searching = sys.modules.get("pytest_llmval.scoring.consistency.searching")
    if searching is None or op != "is" or right is not None or not isinstance(left, searching.Violation):
        return None
    return str(left).splitlines()
