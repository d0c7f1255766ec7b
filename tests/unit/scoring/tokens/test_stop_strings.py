"""Stop strings: streams end at them, and nowhere else."""

from __future__ import annotations

import pytest

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.tokenizer.stop_strings import assert_stop_strings_respected, compare_stop_strings


def stopping(tokenizer, *, hold=True, inclusive=False, flush=True):
    """A stream that holds back what may begin a stop string."""

    def stream(ids, stop):
        text, given_out = "", 0
        for end in range(1, len(ids) + 1):
            text = tokenizer.decode(ids[:end])
            found = [text.index(each) + (len(each) if inclusive else 0) for each in stop if each in text]
            if found:
                yield text[given_out : min(found)]
                return
            longest = max(map(len, stop)) - 1 if hold else 0
            safe = max(given_out, len(text) - longest)
            yield text[given_out:safe]
            given_out = safe
        if flush:
            yield text[given_out:]

    return stream


@pytest.mark.parametrize("stop", [["\n\n"], ["User:"], ["###", "STOP"], ["aa"]])
def test_a_sound_stream_ends_at_its_stop_string(v1, stop):
    """Wherever tokens cut it."""
    report = assert_stop_strings_respected(stopping(v1), v1, stop)

    assert report.streams == 1 + 7 * len(stop)
    assert str(report).endswith("all end where they should")


def test_the_stop_string_itself_may_be_wanted(v1):
    """Both ways, and not the other one."""
    assert assert_stop_strings_respected(stopping(v1, inclusive=True), v1, ["END"], include_stop=True).passed
    with pytest.raises(ModelRegression, match="expected 'one' -> actual 'oneEND'"):
        assert_stop_strings_respected(stopping(v1, inclusive=True), v1, ["END"])


def test_streams_that_leak_or_keep_back_text(v1):
    """The begin of a stop string given out too soon, and one that never became one lost."""
    with pytest.raises(ModelRegression, match=r"stop strings: \d of 8 streams are wrong") as raised:
        assert_stop_strings_respected(stopping(v1, hold=False), v1, ["User:"])
    assert "expected 'one' -> actual 'one" in str(raised.value)

    with pytest.raises(ModelRegression, match="expected 'plain words only' -> actual 'plain words '"):
        assert_stop_strings_respected(stopping(v1, flush=False), v1, ["User:"])


def test_a_stream_that_raises(v1):
    """Says so, with its text."""

    def broken(ids, stop):
        raise KeyError(stop[0])

    assert "-> raises KeyError: 'END'" in str(compare_stop_strings(broken, v1, ["END"]))


def test_stop_strings_that_cannot_be_met(v1):
    """A check that could not fail, and arguments that mean nothing."""
    with pytest.raises(InvalidComparison, match=r"none of 1 texts holds a stop string of \['END'\]"):
        assert_stop_strings_respected(stopping(v1), v1, ["END"], texts=["nothing here"])
    for stop in ("END", [], [""]):
        with pytest.raises(ValueError, match="expected a list of strings that are not empty"):
            assert_stop_strings_respected(stopping(v1), v1, stop)
