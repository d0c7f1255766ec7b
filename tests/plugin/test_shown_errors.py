"""What was used wrongly is shown at the line of the test, in one message, without the way through our code."""

import pytest

USES = {
    "regex_match(RESPONSES, '(unclosed')": "ValueError: pattern=*",
    "exact_match(RESPONSES, normalise='lower')": "ValueError: normalise='lower'*",
    "exact_match(RESPONSES[0])": "TypeError: expected responses, * the fixture `responses` of *, got one response",
    "exact_match(['a text'])": "TypeError: expected responses, * got 'a text' among them",
    "json_matches(RESPONSES, {'type': 'strng'})": "ValueError: *",
    "RougeL(5)": "ValueError: at_least=5; expected a share in (0, 1]",
    "exact_match(RESPONSES) > 0.9": "TypeError: <exact_match: 1 over 1 cases> compared with 0.9; *",
}
SUITE = """
import pytest
from pytest_llmval import Case, RougeL, Response, exact_match, json_matches, regex_match

RESPONSES = [Response("yes", case=Case("a", {{}}, "?", reference="yes"))]

{tests}
"""


@pytest.fixture
def shown(pytester):
    """The output of tests that each use something wrongly."""
    tests = [f"def test_{number}():\n    {use}\n" for number, use in enumerate(USES)]
    pytester.makepyfile(test_uses=SUITE.format(tests="\n".join(tests)))

    def run(*args: str) -> str:
        result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *args)
        result.assert_outcomes(failed=len(USES))
        result.stdout.fnmatch_lines_random([f"E * {message}" for message in USES.values()])
        return result.stdout.str()

    return run


def test_no_frame_of_ours_and_no_cause_is_shown(shown):
    """Neither our files nor the error of the library that ours came from."""
    text = shown()

    assert "src/pytest_llmval" not in text
    assert "<string>" not in text
    assert "The above exception was the direct cause" not in text


def test_all_is_shown_on_request(shown):
    """`--full-trace` leaves the traceback as it is."""
    assert "The above exception was the direct cause" in shown("--full-trace")


def test_an_error_of_the_test_s_own_function_keeps_its_traceback(pytester):
    """What nobody here raised on purpose shows how it came about."""
    pytester.makepyfile(
        """
        from pytest_llmval import Case, Response, exact_match

        def test_it():
            response = Response("yes", case=Case("a", {}, "?", reference="yes"))
            exact_match([response], normalise=lambda text: text.nothing)
        """
    )

    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")

    result.stdout.fnmatch_lines(["*exact.py:*", "E *AttributeError: 'str' object has no attribute 'nothing'"])
