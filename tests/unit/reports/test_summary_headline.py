"""The first line of the summary is the answer: may this version replace that one?"""

from collections import Counter

import pytest


@pytest.mark.parametrize(
    ("outcomes", "tests", "headline"),
    [
        (["equivalent"], {}, "SHOWN: v1 -> v2, 1 gate: equivalent"),
        (["improved", "equivalent"], {}, "SHOWN: v1 -> v2, 2 gates: 1 equivalent, 1 improved"),
        (["worse_within"], {}, "SHOWN: v1 -> v2, 1 gate: worse within"),
        (["inconclusive", "improved"], {}, "NOT SHOWN: v1 -> v2, 2 gates: 1 inconclusive, 1 improved"),
        (["equivalent"], {"failed": 1}, "FAILED: v1 -> v2, 1 gate: equivalent; 1 other test failed"),
        (["equivalent"], {"failed": 1, "error": 1}, "FAILED: v1 -> v2, 1 gate: equivalent; 2 other tests failed"),
        (["inconclusive"], {"error": 1}, "FAILED: v1 -> v2, 1 gate: inconclusive; 1 other test failed"),
        (["invalid", "inconclusive"], {}, "INVALID: v1 -> v2, 2 gates: 1 invalid, 1 inconclusive"),
        (["invalid", "regressed"], {}, "REGRESSED: v1 -> v2, 2 gates: 1 regressed, 1 invalid"),
        ([], {}, "NOT SHOWN: v1 -> v2, no gates"),
        ([], {"failed": 1}, "FAILED: v1 -> v2, no gates; 1 test failed"),
    ],
)
def test_the_worst_decides(summary, outcomes, tests, headline):
    """Regressed before invalid before failed before not shown; what was never judged is not shown."""
    assert summary(*outcomes, tests=Counter(tests)).headline == headline


def test_a_threshold_has_no_baseline(summary):
    """The candidate stands alone."""
    assert summary("equivalent", baseline=None).headline == "SHOWN: v2, 1 gate: equivalent"
    assert summary("equivalent", baseline=None, candidate="").headline == "SHOWN: 1 gate: equivalent"


def test_a_failed_gate_is_no_other_failure(summary):
    """Its test is counted once."""
    told = summary("regressed", tests=Counter(failed=2), failed_tests={"test_faq.py::test_0", "test_faq.py::test_x"})

    assert told.headline == "REGRESSED: v1 -> v2, 1 gate: regressed; 1 other test failed"


@pytest.mark.parametrize(("strict", "answer"), [(True, "NOT SHOWN"), (False, "FAILED")])
def test_a_strict_run(summary, strict, answer):
    """There an inconclusive gate fails its test, which is no other failure; else the test failed for another reason."""
    told = summary("inconclusive", strict=strict, tests=Counter(failed=1), failed_tests={"test_faq.py::test_0"})

    assert told.answer == answer
    assert ("other test failed" in told.headline) is not strict


def test_regressions_come_first(summary, gate):
    """Else the order in which gates ran."""
    gates = [
        gate(outcome, test=f"t::{n}") for n, outcome in enumerate(["improved", "regressed", "invalid", "regressed"])
    ]

    assert [each.test for each in summary(*gates).sorted_gates] == ["t::1", "t::3", "t::2", "t::0"]


def test_the_name_of_a_gate(gate):
    """File, test and metric, without folders."""
    assert gate().name == "test_faq.py::test_a rouge_l"
