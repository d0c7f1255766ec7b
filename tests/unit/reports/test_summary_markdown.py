"""`summary.md` fits into a pull request, and nothing in it is markup but ours."""

import re
from collections import Counter

import pytest

from pytest_llmval.reports.markdown import LENGTH_LIMIT, summary_markdown
from pytest_llmval.reports.summary import Asked
from pytest_llmval.verdicts.verdict import CaseChange, Counts

EVIL = "a\n\n# heading\n![x](http://evil/x.png) @team #1 <img src=x> </pre></details> ``` | \x1b[31m ##[error] \u202e"


def worse(number=0, text="text", case_id=None):
    """A case that got worse."""
    return CaseChange(case_id or f"c{number}", 1.0, 0.0, text, text, text, text)


def test_a_small_summary(summary, gate):
    """Marker, answer, table, cases, what was asked."""
    change = CaseChange("c1", 1.0, 0.5, "Open?", "Yes.", "Yes.", "No <b>.")
    told = summary(
        gate("regressed", reason="shown worse", worst=(change,)),
        asked={"v2": Asked(measured=3, whole_sets={"faq"})},
        datasets=["faq@12345678"],
        tests=Counter(passed=2, failed=1),
        failed_tests={"suites/test_faq.py::test_a"},
    )

    assert summary_markdown(told) == (
        "<!-- llmval:summary v1 -->\n\n"
        "## REGRESSED: v1 -> v2, 1 gate: regressed\n\n"
        "| gate | baseline | candidate | delta | 90% CI | margin | n | verdict |\n"
        "|---|--:|--:|--:|--:|--:|--:|--:|\n"
        "| test_faq.py::test_a rouge_l | 0.800 | 0.790 | -1.0 pp | [-2.0, +0.5] | - | 100 | regressed |\n\n"
        "- test_faq.py::test_a rouge_l: shown worse\n\n"
        "<details><summary>rouge_l: c1</summary>\n\n"
        "<pre>prompt:\nOpen?\nexpected:\nYes.\nbaseline:\nYes.\ncandidate:\nNo &lt;b&gt;.</pre>\n\n"
        "</details>\n\n"
        "- tests: 2 passed, 1 failed, 0 errors, 0 skipped\n"
        "- v2: 3 answers measured\n\n"
        "Run `r1`; datasets: `faq@12345678`.\n"
    )


@pytest.fixture
def evil_summary(summary, gate):
    """Model output, case ids, names and reasons that are all markup."""
    case = gate("regressed", f"t.py::x[{EVIL}]", metric=EVIL, reason=EVIL, worst=(worse(text=EVIL, case_id=EVIL),))
    return summary(case, candidate=EVIL, baseline="v1", datasets=[EVIL], asked={EVIL: Asked(measured=1)})


def test_markup_is_escaped(evil_summary):
    """No tag but ours, no order, no control character, and every line of a table stays one row."""
    text = summary_markdown(evil_summary)

    assert set(re.findall(r"<[^>]*>", text)) == {
        "<!-- llmval:summary v1 -->",
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
        "<pre>",
        "</pre>",
    }
    assert not re.search(r"##\[|[\x00-\x09\x0b-\x1f\u202e]", text)
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert [line.count("|") for line in rows] == [9, 9, 9]


def test_a_text_with_blank_lines_stays_in_its_block(evil_summary):
    """As a CommonMark parser sees it: model output makes no heading, link or image."""
    markdown_it = pytest.importorskip("markdown_it", reason="the structure is checked by a CommonMark parser")
    tokens = markdown_it.MarkdownIt("commonmark").enable("table").parse(summary_markdown(evil_summary))

    headings = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert len(headings) == 1
    children = [child.type for token in tokens for child in token.children or ()]
    assert not {"image", "link_open"} & set(children)
    (block,) = [token.content for token in tokens if token.type == "html_block" and token.content.startswith("<pre>")]
    assert block.count("# heading") == 4
    assert block.rstrip().endswith("</pre>")


@pytest.mark.parametrize("outcome", ["improved", "equivalent", "worse_within"])
def test_cases_of_gates_that_hold_are_not_shown(summary, gate, outcome):
    """Only what failed is explained."""
    assert "<details>" not in summary_markdown(summary(gate(outcome, worst=(worse(),))))


def test_the_worst_cases_are_taken_in_turn(summary, gate):
    """Three in all: the worst of each failed gate before any second one."""
    first = gate("regressed", "t::a", metric="first", worst=tuple(worse(n) for n in range(5)))
    second = gate("regressed", "t::b", metric="second", worst=tuple(worse(n) for n in range(5)))

    text = summary_markdown(summary(first, second))

    assert re.findall("<summary>(.*)</summary>", text) == ["first: c0", "second: c0", "first: c1"]


def test_what_failed_without_a_gate(summary):
    """A golden is no gate: the summary names the test, and shows no empty table."""
    told = summary(tests=Counter(failed=1, error=1), failed_tests={"t.py::test_golden", "t.py::test_answer[a|b]"})

    assert summary_markdown(told) == (
        "<!-- llmval:summary v1 -->\n\n"
        "## FAILED: v1 -> v2, no gates; 2 tests failed\n\n"
        "Failed:\n\n- t.py::test_answer[a&#124;b]\n- t.py::test_golden\n\n"
        "- tests: 0 passed, 1 failed, 1 error, 0 skipped\n\n"
        "Run `r1`; datasets: none.\n"
    )


def test_a_failed_gate_is_not_told_twice(summary):
    """Its test is in the table already; other tests are named."""
    told = summary(
        "regressed", tests=Counter(failed=2), failed_tests={"test_faq.py::test_0", "test_faq.py::test_golden"}
    )

    assert "Failed:\n\n- test_faq.py::test_golden\n\n" in summary_markdown(told)


def test_many_failed_tests_are_cut(summary):
    """Fifteen, and how many more."""
    told = summary(tests=Counter(failed=20), failed_tests={f"t.py::test_{n:02}" for n in range(20)})

    text = summary_markdown(told)

    assert text.count("- t.py::test_") == 15
    assert "- … and 5 more\n" in text


def test_lost_cases_are_counted(summary, gate):
    """Over all gates; without any the line is left out."""
    lost = gate(counts=Counts(100, 97, failed=1, unscored=2, missing=3))

    assert "- cases lost by gates: 2 failed, 4 unscored, 6 missing\n" in summary_markdown(summary(lost, lost))
    assert "cases lost" not in summary_markdown(summary(gate()))


def test_a_long_table_is_cut(summary):
    """Fifteen gates, and how many more."""
    text = summary_markdown(summary(*["equivalent"] * 20))

    assert text.count("| equivalent |") == 15
    assert "\n\n… and 5 more.\n" in text


@pytest.mark.parametrize("character", ["x", "&", "\x1b", "\u202e", "\U000e0041", "|", "<"])
def test_the_length_has_a_limit(summary, gate, character):
    """GitHub refuses a comment of more than 65536 characters; escapes make a text up to ten times longer."""
    text = character * 5000
    gates = [
        gate("regressed", f"t::{text}{n}", metric=text, reason=text, worst=tuple(worse(n, text) for n in range(3)))
        for n in range(40)
    ]

    markdown = summary_markdown(
        summary(
            *gates,
            datasets=[text + str(n) for n in range(40)],
            tests=Counter(failed=40),
            failed_tests={f"{text}{n}" for n in range(40)},
        )
    )

    assert len(markdown) <= LENGTH_LIMIT
    assert markdown.count("<details>") == markdown.count("</details>")
    assert "Run `r1`; datasets: " in markdown


def test_usual_failures_are_far_from_the_limit(summary, gate):
    """All three cases are shown in full."""
    gates = [gate("regressed", worst=tuple(worse(n, "word " * 1000) for n in range(3))) for _ in range(15)]

    assert summary_markdown(summary(*gates)).count("<details>") == 3
