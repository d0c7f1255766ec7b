"""Answers that match a regular expression."""

import re

import pytest

from pytest_llmval.scoring.text.patterns import regex_match


@pytest.mark.parametrize(
    ("answer", "pattern", "full", "score"),
    [
        ("It is 42.", r"\d+", False, 1.0),
        ("It is 42.", r"\d+", True, 0.0),
        ("42", r"\d+", True, 1.0),
        ("YES", re.compile("yes", re.IGNORECASE), True, 1.0),
        ("YES", "yes", True, 0.0),
        ("", r"\d+", False, 0.0),
        ("\ud800 7", r"\d", False, 1.0),
    ],
)
def test_matches(score_of, answer, pattern, full, score):
    """Found anywhere, or the whole answer; no reference is needed."""
    assert score_of(regex_match, answer, pattern=pattern, full=full) == score


def test_versions(version_of):
    """Pattern, flags and extent are part of it."""
    versions = [
        version_of(regex_match, "yes"),
        version_of(regex_match, "no"),
        version_of(regex_match, "yes", full=True),
        version_of(regex_match, re.compile("yes", re.IGNORECASE)),
    ]

    assert versions[0] == "found 'yes' flags=32"
    assert len(set(versions)) == 4


def test_an_invalid_pattern(responses_to):
    """The reason is given before anything is scored."""
    with pytest.raises(ValueError, match="is no regular expression") as caught:
        regex_match(responses_to(), "(yes")

    assert str(caught.value) == (
        "pattern='(yes' is no regular expression: missing ), unterminated subpattern at position 0"
    )


@pytest.mark.parametrize("pattern", [b"yes", 5, re.compile(b"yes")])
def test_what_is_no_pattern(responses_to, pattern):
    """Bytes never match text."""
    with pytest.raises(TypeError) as caught:
        regex_match(responses_to(), pattern)

    assert str(caught.value) == f"pattern={pattern!r}; expected a regular expression, as text or compiled from text"
