"""What pytest's JUnit file says of the run."""

from pytest_llmval.reports.junit import suite_properties
from pytest_llmval.verdicts.verdict import Counts


def test_the_properties_of_a_run(summary, gate):
    """Run, versions, datasets, the answer, and the figures of each gate."""
    told = summary(gate("regressed"), datasets=["quiz@2", "faq@1"])

    assert list(suite_properties(told)) == [
        ("llmval.run_id", "r1"),
        ("llmval.model_version", "v2"),
        ("llmval.baseline_version", "v1"),
        ("llmval.dataset", "faq@1"),
        ("llmval.dataset", "quiz@2"),
        ("llmval.verdict", "REGRESSED: v1 -> v2, 1 gate: regressed"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.verdict", "regressed"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.baseline", "0.8"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.candidate", "0.79"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.delta", "-0.01"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.ci_low", "-0.02"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.ci_high", "0.005"),
        ("llmval.suites/test_faq.py::test_a.rouge_l.n", "100"),
    ]


def test_a_run_without_gates_and_baseline(summary):
    """Nothing is claimed of what was not judged."""
    assert list(suite_properties(summary(baseline=None))) == [("llmval.run_id", "r1"), ("llmval.model_version", "v2")]


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
