"""The table at the end of a terminal session."""

import pytest

from pytest_llmval.reports.figures import COLUMNS, row
from pytest_llmval.reports.summary import Asked
from pytest_llmval.reports.terminal import asked_lines, summary_lines, table
from pytest_llmval.verdicts.verdict import Counts


def test_the_cells_of_a_share(gate):
    """Percentage points with a sign."""
    assert dict(zip(COLUMNS, row(gate(margin=0.05)), strict=True)) == {
        "gate": "test_faq.py::test_a rouge_l",
        "baseline": "0.800",
        "candidate": "0.790",
        "delta": "-1.0 pp",
        "90% CI": "[-2.0, +0.5]",
        "margin": "5.0 pp",
        "n": "100",
        "verdict": "equivalent",
    }


def test_the_cells_of_another_unit(gate):
    """Its own unit, with a sign."""
    cells = row(gate(evidence={"candidate": {"bounds": None}}, outcome="worse_within"))

    assert cells[3:] == ("-0.010", "[-0.020, +0.005]", "-", "100", "worse within")


def test_the_cells_of_small_numbers(gate):
    """A price of a fraction of a cent keeps its digits; that of a share would be its percentage points."""
    small = {"baseline": 0.00123, "candidate": 0.00125, "delta": -0.00002, "low": -0.00003, "high": 0.00001}

    cells = row(gate(evidence={"candidate": {"bounds": None}}, **small))

    assert cells[1:5] == ("0.00123", "0.00125", "-2e-05", "[-3e-05, +1e-05]")
    assert row(gate(**small))[1:3] == ("0.001", "0.001")


@pytest.mark.parametrize(
    ("outcome", "word"),
    [("equivalent", "reached"), ("regressed", "not reached"), ("inconclusive", "inconclusive"), ("invalid", "invalid")],
)
def test_the_cells_of_a_bar(gate, outcome, word):
    """The bar instead of a baseline, and no sign."""
    cells = row(gate(outcome, kind="at_least", threshold=0.75, baseline=None, delta=None, low=0.76, high=0.82))

    assert cells[1:] == ("bar 0.750", "0.790", "-", "[0.760, 0.820]", "-", "100", word)


def test_the_cells_without_numbers(gate):
    """An invalid gate has none."""
    cells = row(gate("invalid", baseline=None, candidate=None, delta=None, low=None, high=None))

    assert cells[1:5] == ("-", "-", "-", "-")


def test_columns_are_aligned():
    """The first to the left, the others to the right, no blanks at the end of a line."""
    assert list(table([("gate", "n"), ("a", "100"), ("longer", "5")])) == ["gate      n", "a       100", "longer    5"]


def test_a_long_test_name_is_cut_and_the_metric_kept(gate):
    """70 columns for the test."""
    name = gate(test="suites/" + "x" * 100).name

    assert name == "x" * 67 + "... rouge_l"


def test_the_lines_of_a_summary(summary, gate):
    """Answer, table, what there is to know of gates that stop nothing, what was asked."""
    gates = [
        gate("inconclusive", reason="40 cases\nwould decide"),
        gate("equivalent", reason="it cannot fail"),
        gate("regressed", reason="told where it failed", test="test_faq.py::test_b"),
        gate("worse_within", reason="within 5 pp"),
    ]
    told = summary(*gates, asked={"v2": Asked(measured=3, whole_sets={"faq"})})

    lines = list(summary_lines(told))

    assert lines[0].startswith(
        "REGRESSED: v1 -> v2, 4 gates: 1 regressed, 1 inconclusive, 1 worse within, 1 equivalent"
    )
    assert [line.split()[0] for line in lines[1:6]] == ["gate", "test_faq.py::test_b", *["test_faq.py::test_a"] * 3]
    assert lines[6:] == [
        "inconclusive: test_faq.py::test_a rouge_l: 40 cases would decide",
        "worse within: test_faq.py::test_a rouge_l: within 5 pp",
        "equivalent: test_faq.py::test_a rouge_l: it cannot fail",
        "v2: 3 answers measured",
    ]


def test_lost_cases_are_told_once(summary, gate):
    """A line when gates lost any, none else; pytest itself counts the tests."""
    lost = gate(counts=Counts(100, 99, unscored=1))

    assert "cases lost by gates: 0 failed, 1 unscored, 0 missing" in list(summary_lines(summary(lost)))
    assert not any("lost" in line or "tests:" in line for line in summary_lines(summary(gate())))


def test_a_reason_cannot_steer_the_terminal(summary, gate):
    """It may name cases, and their ids are data."""
    lines = list(summary_lines(summary(gate("inconclusive", reason="\x1b[2J\n::error::x ##[error]y"))))

    assert lines[-1] == r"inconclusive: test_faq.py::test_a rouge_l: \x1b[2J ::error::x # #[error]y"


def test_more_than_twenty_gates(summary):
    """The rest is in the file."""
    lines = list(summary_lines(summary(*["equivalent"] * 25)))

    assert len(lines) == 1 + 1 + 20 + 1
    assert lines[-1] == "... 5 more in summary.md"


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (Asked(measured=3, whole_sets={"faq"}), "3 answers measured"),
        (Asked(replayed=3, whole_sets={"faq"}), "0 answers measured, 3 replayed from an earlier run"),
        (Asked(measured=2, failed=1, whole_sets={"faq"}), "2 answers measured, 1 failed"),
        (Asked(measured=2, needed={"faq/a", "faq/b"}), "2 answers measured"),
        (
            Asked(measured=32, needed={"faq/a"}),
            "32 answers measured, for 1 selected: blocks are computed whole, so that numbers do not depend on it",
        ),
    ],
)
def test_what_was_asked(summary, asked, text):
    """Measured and replayed are told apart; why more was computed than selected is said."""
    assert list(asked_lines(summary(asked={"v2": asked}))) == [f"v2: {text}"]
