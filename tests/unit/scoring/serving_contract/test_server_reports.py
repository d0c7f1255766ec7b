"""Reports of the server contract as they read."""

from __future__ import annotations

import pytest

from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.contract import concluded
from pytest_llmval.scoring.serving.contract.report import Breach, Note, report_of

BREACH = Breach("prompt 'a'", "'b'", "'c'")


def test_a_report_that_passes():
    """Notes are told and are no comparison."""
    report = concluded(report_of("seed", [None, None, Note("a tie")]))

    assert str(report) == "server, seed: 2 of 2 as expected\n  note: a tie"


def test_a_report_that_fails():
    """Question, answer and expectation on a line each."""
    with pytest.raises(ModelRegression) as caught:
        concluded(report_of("seed", [BREACH, None]))

    assert str(caught.value) == (
        "server, seed: 1 of 2 not as expected\n  asked prompt 'a'\n      came back: 'b'\n      expected: 'c'"
    )


def test_a_long_report_is_cut():
    """Six are shown, and the rest counted."""
    text = str(report_of("seed", [BREACH] * 9))

    assert text.startswith("server, seed: 9 of 9 not as expected\n")
    assert text.count("asked prompt") == 6
    assert text.endswith("\n  and 3 more")


def test_the_same_note_is_told_once():
    """However often it arose."""
    assert report_of("seed", [Note("a tie"), Note("a tie")]).notes == ("a tie",)
