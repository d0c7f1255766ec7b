"""A golden answer read back is the one that was written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.case_sets.message import Message
from pytest_llmval.scoring.golden.answer import Answer, Token, answer_of
from pytest_llmval.scoring.golden.document import from_text, to_text
from pytest_llmval.scoring.golden.kept import Kept, Origin
from pytest_llmval.scoring.golden.layout import VERSION, parsed
from pytest_llmval.servers.exchange import Choice, Request, Response, TokenLogprob

# All of Unicode, and texts of characters that have caused trouble: halves of one character, and other line ends.
TEXTS = st.text(st.characters(), max_size=30) | st.text(
    st.sampled_from("ab \n\r\ud83d\ude00\x85\u2028\x1bé"), max_size=9
)
LOGPROBS = st.floats(-30, 0)
TOKENS = st.builds(
    TokenLogprob,
    st.integers(-1, 99),
    TEXTS,
    LOGPROBS,
    st.lists(st.tuples(st.integers(0, 99), LOGPROBS), max_size=3).map(tuple),
)
REQUESTS = st.builds(
    Request,
    TEXTS | st.lists(st.builds(Message, TEXTS, TEXTS), min_size=1, max_size=3).map(tuple),
    st.lists(TEXTS, max_size=3).map(tuple),
    st.builds(Decoding, st.integers(1, 99), st.floats(0, 2), stop=st.sampled_from([(), ("\n", "é\x1b")])),
)
RESPONSES = st.builds(
    Response,
    TEXTS,
    st.lists(st.integers(0, 99), max_size=3).map(tuple),
    st.none() | st.lists(TOKENS, max_size=3).map(tuple),
    st.sampled_from(["stop", "length", "choice"]),
    choice=st.none() | st.builds(Choice, st.integers(0, 3), st.lists(LOGPROBS, max_size=4).map(tuple), st.just((1, 2))),
    request=st.none() | REQUESTS,
)
ORIGIN = Origin("v1", "ab" * 32, "0.1.0", "2026-07-01T10:00:00.000+00:00")
FACTS = st.dictionaries(st.sampled_from(["device", "größe"]), st.sampled_from(["cpu", "x\u202ey"]))
GOLDENS = st.builds(Kept, RESPONSES.map(answer_of) | TEXTS.map(answer_of), st.none() | TEXTS, FACTS, st.just(ORIGIN))


@given(st.lists(GOLDENS, max_size=3))
def test_every_golden_reads_back_as_it_was(goldens):
    """Through JSON, UTF-8 and the layout of the file, with half characters and control characters."""
    text = to_text(goldens)
    indented = "\n".join(f"  {line}" for line in text.split("\n"))
    content = f"# serializer version: {VERSION}\n# name: test_x\n{indented}\n# ---\n".encode()

    read = parsed(content.decode())["test_x"]

    assert read.text == text
    left = list(from_text(read.text))
    for golden in goldens:
        left.remove(golden)
    assert not left


@given(st.lists(GOLDENS, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_goldens_does_not_show(goldens, random):
    """By case and environment, so that a file changes where a golden does."""
    distinct = list({repr(each.order): each for each in goldens}.values())
    shuffled = random.sample(distinct, len(distinct))

    assert to_text(shuffled) == to_text(distinct)


@given(GOLDENS)
def test_nothing_in_a_file_is_invisible(golden):
    """No control character, half character or change of direction: what a reviewer sees is what there is."""
    text = to_text([golden])

    assert not set("\r\x1b\x85\u2028\u202e") & set(text)
    assert text.encode().decode() == text


def test_a_logprob_keeps_four_decimals():
    """The fifth may change from run to run; -0.00001 is 0.0 and not -0.0."""
    told = (TokenLogprob(1, "a", -0.123456, ((1, -0.00001),)),)

    kept = answer_of(Response("a", (1,), told))

    assert kept.tokens == (Token(1, "a", -0.1235, ((1, 0.0),)),)
    assert "-0.0]" not in to_text([Kept(kept)])


def test_tokens_without_ids_are_known_by_their_texts():
    """Some servers tell texts and logprobs, and give each the id -1."""
    kept = answer_of(Response("ab", (), (TokenLogprob(-1, "a", -1.0), TokenLogprob(-1, "b", -2.0))))

    assert kept.tokens == (Token(None, "a", -1.0), Token(None, "b", -2.0))
    assert not kept.has_token_ids
    assert from_text(to_text([Kept(kept)]))[0].answer == kept


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ([{"text": ["a"]}], "it lacks or misspells 'environment'"),
        ([{"text": 5, "environment": {}, "origin": {}}], "it is no golden: expected a text or a list of texts, got 5"),
        (
            [{"text": [], "environment": {}, "origin": {"when": 1}}],
            "it is no golden: *unexpected keyword argument 'when'",
        ),
        ({"text": []}, "it is no golden: 'str' object has no attribute 'get'"),
        (7, "it is no golden: 'int' object is not iterable"),
    ],
)
def test_what_is_no_golden_is_said(entry, reason):
    """With the field, as someone who edits files by hand needs it."""
    with pytest.raises(ValueError) as found:  # noqa: PT011 - the text is compared below
        from_text(json.dumps(entry))

    start, _, end = reason.partition("*")
    assert str(found.value).startswith(start)
    assert end.rstrip("*") in str(found.value)


def test_an_answer_of_a_text_knows_nothing_else():
    """Neither why it ended nor what was asked."""
    assert answer_of("x") == Answer(text="x")
