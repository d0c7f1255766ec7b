"""Progress of long inference: a line that is rewritten on a terminal, a line every 30 seconds elsewhere."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmval.stash import PROGRESS, SETTINGS, is_worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

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
            write_own_line(reporter, text)
            return
        filled = BAR_WIDTH * done // max(1, total)
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        self._is_bar_shown = done < total
        reporter.rewrite(f"[{bar}] {text}" if done < total else "", erase=True)


def write_own_line(reporter: pytest.TerminalReporter, text: str) -> None:
    """Write a line below the dots of the tests."""
    if reporter._tw.width_of_current_line:  # noqa: SLF001 - under xdist `ensure_newline` does not know of the dots
        reporter.line("")
    reporter.write_line(text)


class BlockWatch(threading.Thread):
    """Tells from time to time how many answers the workers of a distributed run have committed.

    Workers have no terminal; what they commit stands on disk, where the controller can count it.
    """

    def __init__(self, folder: Path, write_line: Callable[[str], None], seconds: float = SECONDS_BETWEEN_LINES) -> None:
        super().__init__(name="llmval-progress", daemon=True)
        self._folder = folder
        self._write_line = write_line
        self._seconds = seconds
        self._counts: dict[Path, int] = {}
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look and tell until stopped; nothing new, nothing told."""
        told = 0
        while not self._stopped.wait(self._seconds):
            done = self.count()
            if done > told:
                told = done
                self._write_line(f"llmval: {done} answers so far")

    def count(self) -> int:
        """Answers committed so far; a segment never changes, so each is read once."""
        for path in self._folder.glob("*.jsonl"):
            if path not in self._counts:
                self._counts[path] = path.read_bytes().count(b"\n")
        return sum(self._counts.values())

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self.is_alive():
            self.join()


WATCH: pytest.StashKey[BlockWatch] = pytest.StashKey()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Watch the run's records once the first worker is there."""
    config = node.config
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if WATCH in config.stash or SETTINGS not in config.stash or reporter is None or config.option.verbose < 0:
        return
    settings = config.stash[SETTINGS]

    folder = settings.store / "runs" / settings.run_id / "responses"
    config.stash[WATCH] = BlockWatch(folder, lambda text: write_own_line(reporter, text))
    config.stash[WATCH].start()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Nothing is told once the reports are written."""
    watch = session.config.stash.get(WATCH, None)
    if watch is not None:
        watch.stop()


def pytest_configure(config: pytest.Config) -> None:
    """A run tells its progress to the terminal; an xdist worker has none."""
    config.stash[PROGRESS] = (lambda _label, _done, _total: None) if is_worker(config) else Progress(config)
