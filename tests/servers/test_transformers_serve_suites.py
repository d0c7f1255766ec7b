"""The example suites against transformers serve."""

import pytest

IN_THE_FILES = 2 + 23 + 3


@pytest.mark.servers
def test_transformers_serve(run, suites):
    """Every greedy answer is the engine's; what needs logprobs skips and says that they were asked for in vain."""
    files = (suites / "test_quiz.py", suites / "test_faq.py", "test_same.py")
    result = run("v1-serve", *files)

    result.assert_outcomes(passed=IN_THE_FILES - 4, skipped=4)
    result.stdout.fnmatch_lines(["*test_faq_texts same_answers * same", "*test_totals same_answers * same"])
    result.stdout.fnmatch_lines(["*lacks the capability 'loglikelihood': asked for the logprobs*none came back*"])
