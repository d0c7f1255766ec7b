"""A collection is refused as a whole: one error, and no test is left to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import MutableSequence


def refuse(items: MutableSequence[pytest.Item], at: pytest.Item, message: str) -> None:
    """Report a collection error at the module of an item and take all items away.

    pytest stops at a collection error unless it is told to go on; workers of pytest-xdist 3.8 always go on.
    """
    module = at.getparent(pytest.Module) or at
    report = pytest.CollectReport(nodeid=module.nodeid, outcome="failed", longrepr=message, result=[])
    at.config.hook.pytest_collectreport(report=report)
    items.clear()
