"""Only strict JSON is compared as JSON: what parsers read differently is named."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.golden.answer import Answer
from pytest_llmval.scoring.golden.json_likeness import read_json
from pytest_llmval.scoring.golden.tolerances import JsonLike

LOOSE = {
    '{"a": NaN}': "NaN is not strict JSON, which has finite numbers alone",
    "[Infinity]": "Infinity is not strict JSON, which has finite numbers alone",
    "-Infinity": "-Infinity is not strict JSON, which has finite numbers alone",
    "[1e999]": "1e999 is beyond what a number can hold",
    "-1e999": "-1e999 is beyond what a number can hold",
    '[{"a": 1, "b": 2, "a": 1}]': 'the key "a" stands twice in one object, which is not strict JSON',
}


@pytest.mark.parametrize("text", LOOSE)
def test_what_is_not_strict_is_refused_by_name(judged, text):
    """An answer fails, and of a golden nothing can be told, also where both are the same text."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        read_json(text)
    answer, golden = (judged(JsonLike(), *pair) for pair in ((Answer("1"), Answer(text)), (Answer(text), Answer(text))))

    assert str(caught.value) == LOOSE[text]
    assert (answer.passed, answer.is_undecided) == (False, False)
    assert (golden.passed, golden.is_undecided) == (False, True)


def test_strict_json_is_read():
    """The same key in two objects, and numbers as small and large as they come."""
    assert read_json('[{"a": 1e308}, {"a": 1e-999}]') == [{"a": 1e308}, {"a": 0.0}]
