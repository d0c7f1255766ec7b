"""Progress of long inference."""

import time

from pytest_llmval.hooks.progress import BlockWatch, Progress


class Reporter:
    """A terminal reporter that keeps what is written."""

    def __init__(self, *, isatty):
        self.isatty = isatty
        self.written = []
        self._tw = type("Writer", (), {"width_of_current_line": 7})

    def line(self, text):
        """End the line."""
        self.written.append(text + "\n")

    def write_line(self, text):
        """Write a line."""
        self.written.append(text)

    def rewrite(self, text, *, erase):
        """Write over the line."""
        assert erase
        self.written.append(text)


class Config:
    """As much of a pytest config as progress needs."""

    def __init__(self, reporter, verbose=0):
        self.option = type("Option", (), {"verbose": verbose})
        self.pluginmanager = type("Plugins", (), {"getplugin": {"terminalreporter": reporter}.get})


def tell(reporter, states, *, step, verbose=0):
    """Give progress these states, `step` seconds apart."""
    now = [0.0]
    progress = Progress(Config(reporter, verbose), clock=lambda: now[0])
    for done, total in states:
        now[0] += step
        progress("v2: faq", done, total)
    return reporter.written


def test_a_line_every_30_seconds_where_there_is_no_terminal():
    """Three states at 20 s intervals give one line."""
    written = tell(Reporter(isatty=False), [(32, 96), (64, 96), (96, 96)], step=20)

    assert written == ["\n", "llmval: v2: faq: 64 of 96 answered"]


def test_a_bar_on_a_terminal_that_is_erased_at_the_end():
    """The bar grows with the share, and nothing of it remains."""
    written = tell(Reporter(isatty=True), [(48, 96), (96, 96)], step=1)

    assert written == ["[############............] llmval: v2: faq: 48 of 96 answered", ""]


def test_nothing_under_quiet():
    """`-q` is quiet."""
    assert tell(Reporter(isatty=True), [(1, 2)], step=60, verbose=-1) == []


def test_answers_of_workers_are_counted_from_their_records(tmp_path):
    """The controller tells what is committed, once, and again when there is more."""
    told = []
    watch = BlockWatch(tmp_path, told.append, seconds=0.02)

    watch.start()
    (tmp_path / "a.jsonl").write_text("{}\n{}\n")
    wait_for(lambda: len(told) == 1)
    (tmp_path / "b.jsonl").write_text("{}\n")
    wait_for(lambda: len(told) == 2)
    watch.stop()

    assert told == ["llmval: 2 answers so far", "llmval: 3 answers so far"]
    assert not watch.is_alive()


def wait_for(condition, seconds=10):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
