"""Loaded by `llmval aa` into the run that it starts: it reads the reports of the run itself, and removes them."""

from __future__ import annotations

import pytest

from pytest_llmval.stash import LEDGER


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(config: pytest.Config) -> None:
    """Name no file to a reader who will not find it."""
    ledger = config.stash.get(LEDGER, None)
    if ledger is not None:
        ledger.written.clear()
