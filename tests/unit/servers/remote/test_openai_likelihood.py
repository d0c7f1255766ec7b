"""Likelihoods of given texts over the interface against those of the engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_llmval.case_sets.message import Message
from pytest_llmval.errors import CapabilityMissing, RequestRefused
from pytest_llmval.servers.exchange import Request
from pytest_llmval.servers.perplexity_protocol import Windows
from pytest_llmval.settings import ModelSettings

NOTHING = ModelSettings(name="remote", server="openai")
PAIRS = [
    ("The opening hours of the library are", " nine to five"),
    ("The opening hours of the library are ", "nine to five"),
    ("Question: what does a lost card cost? Answer:", " a lost card costs five euros."),
    ("You can return", " a"),
    ("re", "turn a book"),
]
DEFECTS = [{}, {"offsets_without_BOS": True}, {"no_offsets": True}, {"least_tokens": 1}]


@pytest.mark.parametrize("defects", DEFECTS, ids=["plain", "offsets without BOS", "no offsets", "one token more"])
def test_likelihoods_are_those_of_the_engine(connect, served, engine, defects):
    """Sums, single logprobs and greediness agree to 1e-4, whatever the dialect of the server."""
    served.suffer(**defects)

    found, expected = connect().loglikelihood(PAIRS), engine.loglikelihood(PAIRS)

    assert [each.logprob for each in found] == pytest.approx([each.logprob for each in expected], abs=1e-4)
    assert [each.is_greedy for each in found] == [each.is_greedy for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.token_logprobs == pytest.approx(other.token_logprobs, abs=1e-4)


def test_the_greedy_continuation_is_greedy(connect, engine):
    """What the engine writes is the most probable text, here and there."""
    from pytest_llmval.case_sets.decoding import Decoding

    context = "The opening hours of the library are"
    written = engine.answer([Request(context, decoding=Decoding(max_tokens=4))])[0].text

    (found,), (expected,) = connect().loglikelihood([(context, written)]), engine.loglikelihood([(context, written)])

    assert found.is_greedy == expected.is_greedy


def test_choices_are_those_of_the_engine(connect, served, engine):
    """Chosen option, logprobs and usage agree; one request a choice is sent after the server was found to echo."""
    server = connect()
    assert server.capabilities.loglikelihood
    served.suffer()
    asked = [
        Request("A lost card costs", (" five euros", " ten cents", " nothing")),
        Request("The library opens at", (" nine", " ten")),
    ]

    found, expected = server.answer(asked), engine.answer(asked)

    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.finish_reason) == (other.text, "choice")
        assert one.choice.index == other.choice.index
        assert one.choice.lengths == other.choice.lengths
        assert one.choice.logprobs == pytest.approx(other.choice.logprobs, abs=1e-4)
    assert len(served.asked) == 5


def test_a_choice_uses_every_prompt_that_was_read(connect, engine):
    """Three choices of a context of c tokens and one token each take 3 (c + 1) tokens: each option is sent with it."""
    choices = (" a", " b", " c")

    (answered,) = connect().ask([Request("return", choices)])

    used = sum(engine.count_tokens(f"return{each}") for each in choices)
    assert answered.response.usage.prompt_tokens == used
    assert answered.response.timing.attempts == 3


def test_a_server_whose_echo_is_shifted_is_not_believed(connect, served):
    """The capability is missing, with both numbers; no likelihood comes from it."""
    served.suffer(echo_shifted=True)

    expected = r"lacks the capability 'loglikelihood': logprobs of a prompt are not those of its tokens, by \d+\.\d\d "
    with pytest.raises(CapabilityMissing, match=expected):
        connect().answer([Request("A lost card costs", (" five", " ten"))])


def test_choices_after_a_conversation_need_a_reference(connect):
    """The template is at the other end, unless a folder is named that has it."""
    request = Request((Message("user", "hello"),), (" a", " b"))

    with pytest.raises(CapabilityMissing, match=r"own template; name a folder that has it with reference = \"…\"$"):
        connect().answer([request])


def test_choices_after_a_conversation_are_the_engines(connect, engine, tiny_model):
    """The reference renders the conversation, and the server reads what the model would have read."""
    talk = (Message("system", "be brief"), Message("user", "What does a lost card cost?"))
    request = Request(talk, (" five euros", " nothing at all", " ten"))
    server = connect(reference=replace(NOTHING, reference=tiny_model("llama").model))

    (found,), (expected,) = server.answer([request]), engine.answer([request])

    assert found.choice.logprobs == pytest.approx(expected.choice.logprobs, abs=1e-4)


@pytest.mark.parametrize("text", ["A lost card costs five euros.", "Grüße aus Köln, 東京 and 🙂", "x"])
def test_the_likelihood_of_a_text_is_the_engines(connect, engine, tiny_model, text):
    """Over the same tokens, and by the same protocol but for what a server does not tell."""
    server = connect(reference=replace(NOTHING, reference=tiny_model("llama").model))

    (found,), (expected,) = server.document_likelihood([text]), engine.document_likelihood([text])

    assert found.logprob == pytest.approx(expected.logprob, abs=1e-3)
    assert found.tokens == expected.tokens
    assert found.protocol == replace(expected.protocol, dtype=None)


def test_a_text_is_read_at_once(connect):
    """Windows are cut by tokens, which this interface does not take."""
    with pytest.raises(CapabilityMissing, match="texts are read at once, and not in windows of 16 tokens"):
        connect().document_likelihood(["hello"], Windows(16))


def test_a_text_that_is_too_long_is_refused_by_its_number(connect):
    """The server's own words say why."""
    with pytest.raises(RequestRefused, match=r"^text 1 \('hello hello .*'\): .*128"):
        connect().document_likelihood(["hello", "hello " * 300])


def test_a_continuation_without_a_token_is_refused_by_its_number(connect):
    """The text says which pair and what would be right."""
    with pytest.raises(
        RequestRefused, match=r"^pair 1 \('two', ''\): continuation '' has no token of its own; expected"
    ):
        connect().loglikelihood([("one", " two"), ("two", "")])


def test_a_pair_that_is_too_long_is_refused_by_its_number(connect):
    """With the server's own words."""
    with pytest.raises(RequestRefused, match=r"^pair 0 .*the server refused the request \(400: prompt has \d+ tokens"):
        connect().loglikelihood([("word " * 300, "end")])


@pytest.mark.parametrize("defects", DEFECTS, ids=["plain", "offsets without BOS", "no offsets", "one token more"])
def test_characters_of_several_tokens_do_not_move_the_border(connect, served, engine, defects):
    """The ones of this tokenizer are three or four broken tokens each, before and after the border."""
    served.suffer(**defects)
    pairs = [("\N{OLD ITALIC LETTER A} is", " a letter"), ("a letter is", " \N{SNOWMAN}\N{SNOWMAN} or \N{SNOWMAN}")]

    found, expected = connect().loglikelihood(pairs), engine.loglikelihood(pairs)

    for one, other in zip(found, expected, strict=True):
        assert one.token_logprobs == pytest.approx(other.token_logprobs, abs=1e-4)


def test_a_border_between_characters_of_several_tokens_is_refused(connect):
    """They come back as a row of broken tokens, and which of them are the context's nobody can tell."""
    expected = (
        r"^pair 0 .*: context and continuation meet between characters of several tokens; expected one of one token"
    )
    with pytest.raises(RequestRefused, match=expected):
        connect().loglikelihood([("a letter \N{SNOWMAN}", "\N{SNOWMAN}")])
