"""Answers that are JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.scoring.text.json_answers import comparable, json_valid

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FENCED = 'Here it is:\n```json\n{"a": 1}\n```\nIs that right?'


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        # RFC 8259, sections 2, 3 and 13: any value is a JSON text, white space around it is allowed.
        ('{"Image": {"Width": 800, "Animated": false}}', 1.0),
        ('"Hello world!"', 1.0),
        ("42", 1.0),
        (" [1, 2.5e3, null]\n", 1.0),
        ('"\\ud800"', 1.0),
        # Sections 2, 4, 6 and 7: what is none.
        ("", 0.0),
        ("True", 0.0),
        ("{'a': 1}", 0.0),
        ('{"a": 1,}', 0.0),
        ('{"a": 1} and more', 0.0),
        ("NaN", 0.0),
        ("[Infinity]", 0.0),
        ("-Infinity", 0.0),
        ("01", 0.0),
        ('"a\nb"', 0.0),
        ("\ufeff{}", 0.0),
        ("\ud800", 0.0),
        # What Python cannot hold.
        ("[" * 100_000 + "]" * 100_000, 0.0),
        ('{"a":' * 100_000, 0.0),
        ("9" * 5000, 0.0),
    ],
)
def test_valid(score_of, answer, score):
    """As RFC 8259 has it."""
    assert score_of(json_valid, answer) == score


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ('{"a": 1}', 1.0),
        (FENCED, 1.0),
        ("```\n[1]\n```", 1.0),
        ("  ```JSON\n[1]\n  ```  ", 1.0),
        ('{"a": "```"}', 1.0),
        ("```json\n[1]\n```\n```json\n[2]\n```", 0.0),
        ("```python\n[1]\n```", 0.0),
        ("```json\n[1]\n```json", 0.0),
        ("```json\n[1]", 0.0),
        ("```json\nNaN\n```", 0.0),
        ("```json\n```", 0.0),
        ("```json\n" * 100_000, 0.0),
    ],
)
def test_fenced(score_of, answer, score):
    """JSON as it is, or inside the only fence."""
    assert score_of(json_valid, answer, fenced=True) == score


def test_a_fence_without_leave(score_of):
    """By default the answer as a whole has to be JSON."""
    assert score_of(json_valid, FENCED) == 0.0


@given(value=VALUES)
def test_what_python_writes(score_of, value):
    """It is JSON, plain and in a fence."""
    text = json.dumps(value)

    assert score_of(json_valid, text) == 1.0
    assert score_of(json_valid, f"```json\n{text}\n```", fenced=True) == 1.0


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (False, 0, False),
        ([True], [1], False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ([1, 2], [2, 1], False),
        ("1", 1, False),
        (["array", 1], [["array", 1]], False),
        (["boolean", True], True, False),
        ({}, [], False),
        (None, False, False),
    ],
)
def test_equal_values(one, other, equal):
    """As JSON Schema has equality: numbers by value, no number is a boolean, names in any order."""
    assert (comparable(one) == comparable(other)) is equal


@given(value=VALUES)
def test_a_value_equals_itself_read_back(value):
    """Through text."""
    assert comparable(json.loads(json.dumps(value))) == comparable(value)


def test_versions(version_of):
    """How an answer is read is part of it."""
    assert version_of(json_valid) == "plain"
    assert version_of(json_valid, fenced=True) == "fenced or plain"
