"""Widening a tolerance never turns a pass into a failure."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_llmval.scoring.golden.answer import Answer, Token
from pytest_llmval.scoring.golden.tolerances import (
    EmbeddingClose,
    Exact,
    JsonLike,
    RougeL,
    SameText,
    SameTokens,
    UpToTie,
)

# Few values, so that answers often agree in part.
LOGPROBS = st.sampled_from([-0.5, -0.52, -0.7, -1.5])
TOKENS = st.builds(
    Token,
    st.integers(0, 2),
    st.sampled_from("ab"),
    st.none() | LOGPROBS,
    st.lists(st.tuples(st.integers(0, 2), LOGPROBS), max_size=2).map(tuple),
)
ANSWERS = st.builds(
    Answer,
    st.sampled_from(["", "ab", "a b", "a  b", "b"]),
    st.sampled_from(["stop", "length", None]),
    st.none() | st.lists(TOKENS, min_size=1, max_size=3).map(tuple),
)
PAIRS = st.tuples(ANSWERS, ANSWERS) | ANSWERS.map(lambda answer: (answer, answer))
BARS = st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted)


@given(PAIRS)
def test_what_is_exactly_the_same_passes_by_every_tolerance_that_can_tell(judged, pair):
    """Of an answer without token ids, `SameTokens` says that it cannot tell."""
    assume(judged(Exact(), *pair).passed)

    for tolerance in (SameText(), SameText("whitespace"), RougeL(1.0), EmbeddingClose(1.0, "folder"), UpToTie(0.0)):
        assert judged(tolerance, *pair).passed
    tokens = judged(SameTokens(), *pair)
    assert tokens.passed or tokens.is_undecided


@given(PAIRS)
def test_the_same_tokens_are_the_same_up_to_a_tie(judged, pair):
    """And the same text is the same after a normalisation."""
    assert judged(UpToTie(0.0), *pair).passed or not judged(SameTokens(), *pair).passed
    assert judged(SameText("whitespace"), *pair).passed or not judged(SameText(), *pair).passed


@given(PAIRS, BARS)
def test_a_lower_bar_passes_what_a_higher_one_does(judged, pair, bars):
    """For both measures of similarity."""
    low, high = bars

    assert judged(RougeL(low), *pair).passed or not judged(RougeL(high), *pair).passed
    assert judged(EmbeddingClose(low, "x"), *pair).passed or not judged(EmbeddingClose(high, "x"), *pair).passed


@given(PAIRS, BARS)
def test_more_nats_explain_what_fewer_do(judged, pair, bars):
    """Whatever is known of either side."""
    few, many = bars

    assert judged(UpToTie(many), *pair).passed or not judged(UpToTie(few), *pair).passed


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(0, 1) | st.sampled_from("xy"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
PATHS = st.sets(st.sampled_from(["$.a", "$.*", "$[*]", "$[0]", "$.a.b", "$[*].a", "$.b[*]"]), max_size=3).map(tuple)


@given(DOCUMENTS, DOCUMENTS, PATHS, PATHS)
def test_ignoring_more_passes_what_ignoring_less_does(judged, golden, actual, paths, more):
    """And structure alone passes what values do."""
    import json

    pair = Answer(json.dumps(golden)), Answer(json.dumps(actual))
    strict = judged(JsonLike(paths), *pair).passed

    assert judged(JsonLike((*paths, *more)), *pair).passed or not strict
    assert judged(JsonLike(paths, structure_only=True), *pair).passed or not strict
    assert judged(JsonLike(paths), pair[0], pair[0]).passed
