"""Every test, case and answer is counted; nothing is dropped in silence."""

from collections import Counter

import pytest

from pytest_llmval.reports.accounting import CaseCounts, TestCounts, accounting_of, line_of_lost_cases, line_of_tests
from pytest_llmval.reports.summary import Asked
from pytest_llmval.verdicts.verdict import Counts


def test_counts_are_summed_over_gates_and_versions(summary, gate):
    """A case that two gates lost counts twice: each gate lacks it."""
    told = summary(
        gate(counts=Counts(10, 7, failed=1, unscored=2, missing=1)),
        gate(counts=Counts(10, 9, unscored=1)),
        tests=Counter(passed=5, skipped=1),
        asked={
            "v1": Asked(measured=1, replayed=9, truncated=3),
            "v2": Asked(measured=10, failed=2, truncated=1, empty=1),
        },
    )

    assert dict(accounting_of(told).figures()) == {
        "tests.passed": 5,
        "tests.failed": 0,
        "tests.error": 0,
        "tests.skipped": 1,
        "cases.failed": 1,
        "cases.unscored": 3,
        "cases.missing": 1,
        "answers.measured": 11,
        "answers.replayed": 9,
        "answers.failed": 2,
        "answers.truncated": 4,
        "answers.empty": 1,
    }


@pytest.mark.parametrize("kind", ["trials", "latency", "throughput"])
def test_lost_trials_are_no_lost_cases(summary, gate, kind):
    """A repeated test and a gate of speed lose trials; of the cases of a gate only the other gate's are lost."""
    told = summary(gate(kind=kind, counts=Counts(40, 38, failed=1, unscored=1)), gate(counts=Counts(10, 9, failed=1)))

    assert accounting_of(told).cases == CaseCounts(failed=1)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (TestCounts(12, 1, 0, 2), "tests: 12 passed, 1 failed, 0 errors, 2 skipped"),
        (TestCounts(error=1), "tests: 0 passed, 0 failed, 1 error, 0 skipped"),
    ],
)
def test_the_tests_in_a_line(counts, text):
    """All four counts, also those that are 0."""
    assert line_of_tests(counts) == text


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (CaseCounts(), ""),
        (CaseCounts(unscored=3), "cases lost by gates: 0 failed, 3 unscored, 0 missing"),
        (CaseCounts(1, 2, 3), "cases lost by gates: 1 failed, 2 unscored, 3 missing"),
    ],
)
def test_the_lost_cases_in_a_line(counts, text):
    """Nothing is said when nothing is lost."""
    assert line_of_lost_cases(counts) == text
