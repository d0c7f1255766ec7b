"""The example suites and the contract against Triton."""

import pytest

CONTRACT = ("--pyargs", "pytest_llmval.contracts.test_server")
IN_THE_FILES, IN_THE_CONTRACT = 2 + 23 + 3, 10


@pytest.mark.servers
def test_triton(run, suites):
    """Every suite passes, every greedy answer and choice is the engine's, and the contract holds."""
    files = (suites / "test_quiz.py", suites / "test_faq.py", "test_same.py")
    result = run("v1-triton", *files, *CONTRACT, environment="triton")

    result.assert_outcomes(passed=IN_THE_FILES + IN_THE_CONTRACT)
    result.stdout.fnmatch_lines(["*test_faq_texts same_answers * same", "*test_totals same_answers * same"])
    result.stdout.fnmatch_lines(["*test_quiz_choices same_answers * same"])
