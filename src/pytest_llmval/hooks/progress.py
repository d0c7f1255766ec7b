"""Progress of long inference: a line that is rewritten on a terminal, a line every 30 seconds elsewhere."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from pytest_llmval.stash import PROGRESS, is_worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

SECONDS_BETWEEN_LINES = 30.0
SECONDS_BETWEEN_BARS = 0.2
BAR_WIDTH = 24


class Progress:
    """Shows how many requests of a case set are answered, while a fixture waits for them."""

    def __init__(self, config: pytest.Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._plugins = config.pluginmanager
        self._clock = clock
        self._last = clock()
        self._is_bar_shown = False
        self._is_quiet = config.option.verbose < 0

    def __call__(self, label: str, done: int, total: int) -> None:
        """Show a state, unless another was shown a moment ago."""
        reporter = self._plugins.getplugin("terminalreporter")
        if reporter is None or self._is_quiet:
            return
        pause = SECONDS_BETWEEN_BARS if reporter.isatty else SECONDS_BETWEEN_LINES
        is_due = self._clock() - self._last >= pause
        if not is_due and not (self._is_bar_shown and done == total):
            return
        self._last = self._clock()
        with self._uncaptured():
            self._show(reporter, f"llmval: {label}: {done} of {total} answered", done, total)

    def _uncaptured(self) -> AbstractContextManager[None]:
        """Output goes to the terminal although a test is running."""
        capture = self._plugins.getplugin("capturemanager")
        return capture.global_and_fixture_disabled() if capture else nullcontext()

    def _show(self, reporter: pytest.TerminalReporter, text: str, done: int, total: int) -> None:
        if not reporter.isatty:
            reporter.ensure_newline()
            reporter.write_line(text)
            return
        filled = BAR_WIDTH * done // max(1, total)
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        self._is_bar_shown = done < total
        reporter.rewrite(f"[{bar}] {text}" if done < total else "", erase=True)


def pytest_configure(config: pytest.Config) -> None:
    """A run tells its progress to the terminal; an xdist worker has none."""
    config.stash[PROGRESS] = (lambda _label, _done, _total: None) if is_worker(config) else Progress(config)
