"""What stands below the headline of a failed gate: its worst cases."""

from pytest_llmval.reports.failure import worst_cases
from pytest_llmval.verdicts.verdict import CaseChange


def test_a_worst_case(verdict):
    """Scores, prompt, expectation and both answers, behind a gutter."""
    change = CaseChange("c1", 1.0, 0.5, "Open?\nNow?", "Yes.", "Yes.", "No.")

    assert list(worst_cases(verdict("regressed", worst=(change,)))) == [
        (
            "rouge_l: worst case 1, c1",
            "score: 1.000 -> 0.500\nprompt:\n| Open?\n| Now?\nexpected:\n| Yes.\nbaseline:\n| Yes.\ncandidate:\n| No.",
        )
    ]


def test_a_case_below_a_bar(verdict):
    """There is no baseline to show, and no field without text."""
    change = CaseChange("c1", None, 0.5, candidate_answer="No.")

    assert [text for _, text in worst_cases(verdict(worst=(change,)))] == ["score: 0.500\ncandidate:\n| No."]


def test_a_case_without_an_answer(verdict):
    """It has no score."""
    change = CaseChange("c1", 1.0, None)

    assert [text for _, text in worst_cases(verdict(worst=(change,)))] == ["score: 1.000 -> none"]


def test_three_cases_at_most(verdict):
    """The rest is with the records."""
    changes = tuple(CaseChange(f"c{n}", 1.0, 0.0) for n in range(5))

    assert [title for title, _ in worst_cases(verdict(worst=changes))] == [
        f"rouge_l: worst case {n + 1}, c{n}" for n in range(3)
    ]


def test_hostile_ids_and_answers(verdict):
    """Ids are data too; long answers lose their middle."""
    change = CaseChange(
        "\x1b[2J##[error]" + "x" * 500, 1.0, 0.0, candidate_answer="::error::x\n##[error]\x1b[2J" + "y" * 5000
    )

    ((title, text),) = worst_cases(verdict(worst=(change,)))

    assert title.startswith(r"rouge_l: worst case 1, \x1b[2J# #[error]xxx")
    assert len(title) < 300
    assert "| ::error::x\n| # #[error]\\x1b[2Jyyy" in text
    assert " characters cut] " in text
    assert len(text) < 800
