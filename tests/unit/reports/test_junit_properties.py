"""What pytest's JUnit file says of the run."""

from collections import Counter

from pytest_llmval.reports.junit import suite_properties
from pytest_llmval.reports.summary import Asked
from pytest_llmval.verdicts.verdict import Counts


def test_the_properties_of_a_run(summary, gate):
    """Run, versions, datasets, the answer, all counts, and the figures of each gate."""
    told = summary(
        gate("regressed", counts=Counts(100, 93, failed=1, unscored=4, missing=2)),
        datasets=["quiz@2", "faq@1"],
        tests=Counter(passed=7, failed=2, error=1, skipped=3),
        asked={"v1": Asked(replayed=100), "v2": Asked(measured=99, replayed=1, failed=5)},
    )

    assert list(suite_properties(told)) == [
        ("llmval.run_id", "r1"),
        ("llmval.model_version", "v2"),
        ("llmval.baseline_version", "v1"),
        ("llmval.dataset", "faq@1"),
        ("llmval.dataset", "quiz@2"),
        ("llmval.verdict", "REGRESSED: v1 -> v2, 1 gate: regressed; 3 other tests failed"),
        ("llmval.count.tests.passed", "7"),
        ("llmval.count.tests.failed", "2"),
        ("llmval.count.tests.error", "1"),
        ("llmval.count.tests.skipped", "3"),
        ("llmval.count.cases.failed", "1"),
        ("llmval.count.cases.unscored", "4"),
        ("llmval.count.cases.missing", "2"),
        ("llmval.count.answers.measured", "99"),
        ("llmval.count.answers.replayed", "101"),
        ("llmval.count.answers.failed", "5"),
        ("llmval.count.answers.truncated", "0"),
        ("llmval.count.answers.empty", "0"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.verdict", "regressed"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.baseline", "0.8"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.candidate", "0.79"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.delta", "-0.01"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.ci_low", "-0.02"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.ci_high", "0.005"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.n", "93"),
    ]


def test_a_run_without_gates_and_baseline(summary):
    """Nothing is claimed of what was not judged; counts of nothing are 0."""
    properties = dict(suite_properties(summary(baseline=None)))

    counts = [properties.pop(name) for name in list(properties) if name.startswith("llmval.count.")]
    assert counts == ["0"] * 12
    assert properties == {"llmval.run_id": "r1", "llmval.model_version": "v2"}


def test_figures_that_are_missing_are_left_out(summary, gate):
    """A bar has no baseline and no difference."""
    names = [name for name, _ in suite_properties(summary(gate("equivalent", baseline=None, delta=None)))]

    assert not any(name.endswith((".baseline", ".delta")) for name in names)


def test_a_large_number_of_cases_is_written_out(summary, gate):
    """1234567, not 1.23457e+06."""
    counts = Counts(1234567, 1234567)

    assert (
        dict(suite_properties(summary(gate(counts=counts))))["llmval.suites/test_faq.py::test_a.rouge_l.n"] == "1234567"
    )
