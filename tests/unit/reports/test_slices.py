"""Slices below a gate: a table in summary.md, one line in the terminal when one is worse."""

from pytest_llmval.reports.markdown import summary_markdown
from pytest_llmval.reports.slices import COLUMNS, slice_rows
from pytest_llmval.reports.terminal import summary_lines
from pytest_llmval.verdicts.verdict import Slice

WORSE = Slice("refunds", 40, baseline=0.8, candidate=0.6, delta=-0.2, low=-0.25, high=-0.15, p_adjusted=0.0012)
SAME = Slice("opening", 60, baseline=0.8, candidate=0.8, delta=0.0, low=-0.05, high=0.05, p_adjusted=0.5)
FEW = Slice("gifts", 3)
REASON = "worse in this slice: refunds (-20.0 pp, n=40, adjusted p=0.0012)"


def test_the_cells_of_a_slice(gate):
    """Percentage points for a share; no figures where there are too few clusters."""
    rows = slice_rows(gate(slices=(WORSE, FEW)))

    assert dict(zip(COLUMNS, rows[0], strict=True)) == {
        "slice": "refunds",
        "baseline": "0.800",
        "candidate": "0.600",
        "delta": "-20.0 pp",
        "90% CI": "[-25.0, -15.0]",
        "n": "40",
        "adjusted p of worse": "0.0012",
    }
    assert rows[1] == ("gifts", "-", "-", "-", "-", "3", "-")


def test_the_summary_has_a_table_of_slices(summary, gate):
    """Folded away below the gates, with each label."""
    text = summary_markdown(summary(gate(slices=(WORSE, SAME), reason=REASON)))

    assert "<details><summary>test_faq.py::test_a rouge_l: 2 slices</summary>" in text
    assert "| refunds | 0.800 | 0.600 | -20.0 pp | [-25.0, -15.0] | 40 | 0.0012 |" in text
    assert "| opening | 0.800 | 0.800 | +0.0 pp | [-5.0, +5.0] | 60 | 0.5 |" in text


def test_many_slices_are_cut(summary, gate):
    """Fifteen rows, and how many more there are."""
    slices = tuple(Slice(f"s{place:02}", 3) for place in range(20))

    text = summary_markdown(summary(gate(slices=slices)))

    assert "| s14 |" in text
    assert "| s15 |" not in text
    assert "… and 5 more." in text


def test_the_terminal_tells_of_a_worse_slice_below_a_gate_that_passes(summary, gate):
    """The gate stops nothing, so nothing else would say it."""
    lines = list(summary_lines(summary(gate(slices=(WORSE, SAME), reason=REASON))))

    assert f"equivalent: test_faq.py::test_a rouge_l: {REASON}" in lines
