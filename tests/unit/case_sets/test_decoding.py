"""Decoding parameters are checked when they are given."""

import pytest

from pytest_llmval.case_sets.decoding import Decoding, decoding_from


def test_greedy_by_default():
    """Nothing is sampled unless a temperature is given."""
    assert str(Decoding()) == "max_tokens=64, temperature=0"


def test_what_is_set_is_written_out():
    """The text is what two runs are compared by."""
    decoding = decoding_from(max_tokens=8, temperature=0.7, top_p=0.9, top_k=5, stop="\n", logprobs=2)

    assert str(decoding) == "max_tokens=8, temperature=0.7, top_p=0.9, top_k=5, stop=('\\n',), logprobs=2"


@pytest.mark.parametrize(
    ("given", "stop"), [("\n", ("\n",)), (["a", "b"], ("a", "b")), (("a",), ("a",)), (None, ()), ([], ())]
)
def test_stop_is_one_string_or_several(given, stop):
    """A single string is not taken for its letters."""
    assert decoding_from(stop=given).stop == stop


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_tokens": 0}, "max_tokens=0: expected a whole number of at least 1"),
        ({"max_tokens": 2.5}, "max_tokens=2.5: expected a whole number of at least 1"),
        ({"max_tokens": "5"}, "max_tokens='5': expected a whole number of at least 1"),
        ({"max_tokens": True}, "max_tokens=True: expected a whole number of at least 1"),
        ({"max_tokens": None}, "max_tokens=None: expected a whole number of at least 1"),
        ({"temperature": -0.1}, r"temperature=-0.1: expected 0 \(greedy\) or more"),
        ({"temperature": float("nan")}, r"temperature=nan: expected 0 \(greedy\) or more"),
        ({"temperature": float("inf")}, r"temperature=inf: expected 0 \(greedy\) or more"),
        ({"temperature": "hot"}, r"temperature='hot': expected 0 \(greedy\) or more"),
        ({"top_p": 0}, r"top_p=0: expected a share in \(0, 1\]"),
        ({"top_p": 1.1}, r"top_p=1.1: expected a share in \(0, 1\]"),
        ({"top_k": -1}, r"top_k=-1: expected 0 \(all tokens\) or a whole number"),
        ({"stop": ["a", ""]}, r"stop=\('a', ''\): expected strings that are not empty"),
        ({"stop": 5}, r"stop=\(5,\): expected strings that are not empty"),
        ({"logprobs": -1}, "logprobs=-1: expected None or a whole number of at least 0"),
    ],
)
def test_a_value_no_server_could_honour(parameters, message):
    """Name, value and rule."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        decoding_from(**parameters)


def test_an_unknown_parameter():
    """The known ones are listed."""
    message = (
        "^unexpected argument 'max_new_tokens'; decoding parameters are "
        "max_tokens, temperature, top_p, top_k, stop, logprobs, json_schema$"
    )

    with pytest.raises(TypeError, match=message):
        decoding_from(max_new_tokens=5)
