"""The fixtures of one test, torn down and set up again within its item.

pytest has no public way to do it: all that is used of its inner works for it stands here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from _pytest.logging import caplog_handler_key
from _pytest.tmpdir import tmppath_result_key

if TYPE_CHECKING:
    import pytest


def tear_down_fixtures(item: pytest.Function, *, passed: bool) -> None:
    """Tear down what was set up for this test alone; fixtures of wider scope stay.

    Args:
        item: The test.
        passed: Whether it passed, on which it depends whether `tmp_path` is kept.
    """
    # `tmp_path` takes this entry away when it is torn down; pytest writes it only with a report.
    item.stash.setdefault(tmppath_result_key, {})["call"] = passed
    # Down to what the item's own parent needs, hence all but the parents of the item.
    item.session._setupstate.teardown_exact(item.parent)  # type: ignore[arg-type]  # noqa: SLF001


def set_up_fixtures(item: pytest.Function) -> None:
    """Set the test up as for the first time: a new request, a new instance of its class, new fixtures."""
    item._initrequest()  # noqa: SLF001
    if item.cls is not None:
        item.__dict__.pop("_instance", None)  # pytest makes another when it is asked for
        item._obj = None  # noqa: SLF001 - the method of the instance before
    item.session._setupstate.setup(item)  # noqa: SLF001
    if caplog_handler_key in item.stash:
        item.stash[caplog_handler_key].clear()


def broke_set_up(error: BaseException, item: pytest.Function) -> bool:
    """Whether an error is why the test itself, not one of its parents, could not be set up."""
    _, broken = item.session._setupstate.stack.get(item, ([], None))  # noqa: SLF001
    return broken is not None and broken[0] is error
