"""What models of other backends are sent, and how their answers are read; stand-ins on a real Triton say both."""

from __future__ import annotations

import json

import pytest

from pytest_llmval.errors import CapabilityMissing
from pytest_llmval.servers.exchange import Decoding, Message, Request, Usage
from pytest_llmval.servers.remote.payloads import COMPLETIONS, Post

pytestmark = pytest.mark.servers

GREEDY = Decoding(max_tokens=5)
DRAWN = Decoding(max_tokens=5, temperature=0.5, top_p=0.75, stop=("one", "two"))
WAYS = {"generate": ("http", False), "infer": ("http", True), "gRPC": ("grpc", False)}


@pytest.fixture(params=WAYS)
def ensemble(request, connect, without_generate):
    """A model with an input for each option, in a batch, asked in each way that it can be."""
    protocol, lacks_generate = WAYS[request.param]
    return connect("ensemble", protocol, **({"url": without_generate} if lacks_generate else {}))


def said(server, decoding, seed=0):
    """What the stand-in of an ensemble was sent, by input: shape and values."""
    (found,) = server.answer([Request("a prompt", decoding=decoding, seed=seed)])
    assert found.error is None, found.error
    return json.loads(found.text)


def test_an_ensemble_is_greedy_by_one_token_to_choose_from(ensemble):
    """Temperature 0 is refused by some; words that it requires and nobody gave are one empty text."""
    assert said(ensemble, GREEDY) == {
        "bad_words": [[1, 1], [""]],
        "max_tokens": [[1, 1], [5]],
        "stop_words": [[1, 1], [""]],
        "top_k": [[1, 1], [1]],
    }


def test_an_ensemble_gets_each_option_in_its_own_input(ensemble):
    """Under the names and in the shapes of the model, its batch of one included."""
    assert said(ensemble, DRAWN, seed=2**40 + 1) == {
        "bad_words": [[1, 1], [""]],
        "max_tokens": [[1, 1], [5]],
        "random_seed": [[1, 1], [2**40 + 1]],
        "stop_words": [[1, 2], ["one", "two"]],
        "temperature": [[1, 1], [0.5]],
        "top_p": [[1, 1], [0.75]],
    }


def test_logprobs_of_an_ensemble_are_read_row_after_row(connect, triton):
    """The switch is sent where they are asked for; texts of tokens that nobody tells are empty."""
    body = posted(connect("ensemble"), {"prompt": "a prompt", "max_tokens": 5, "temperature": 0, "logprobs": 2})

    (choice,) = body["choices"]
    assert json.loads(choice["text"])["return_log_probs"] == [[1, 1], [True]]
    assert choice["logprobs"] == {"tokens": ["", ""], "token_logprobs": [-0.25, -0.5]}


def test_what_an_ensemble_lacks_is_a_missing_capability(connect):
    """Prompts cannot be scored without the input that the example model documents."""
    expected = (
        r"^the triton server of 'served' lacks the capability 'loglikelihood': .*/v2/models/ensemble: echo=True: the "
        r"model 'ensemble' has no input 'return_prompt_log_probs'; its inputs are 'bad_words', 'max_tokens', .*, its "
        r"outputs 'output_log_probs', 'text_output'$"
    )
    with pytest.raises(CapabilityMissing, match=expected):
        connect("ensemble").loglikelihood([("a", "b")])


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("streams", [False, True])
def test_the_vllm_backend_gets_its_options_as_json(connect, protocol, streams):
    """The answer comes without the prompt, with what the backend counts, whole or in pieces."""
    server = connect("vllm", protocol, streams=streams)

    (found,) = server.answer([Request("a prompt", decoding=DRAWN, seed=9)])

    assert json.loads(found.text) == {
        "max_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.75,
        "seed": 9,
        "stop": ["one", "two"],
    }
    # "a prompt" has 8 bytes, the JSON 11 words; the stand-in counts each piece's own, as the backend does.
    assert found.usage == Usage(8, 11)
    assert found.finish_reason == "length"
    assert (found.timing.first_token_seconds is not None) == streams


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("streams", [False, True])
def test_logprobs_of_the_vllm_backend(connect, protocol, streams):
    """The first entry of each table is the token that was chosen; its key is the id."""
    asked = {"prompt": "a prompt", "max_tokens": 5, "temperature": 0, "logprobs": 2}

    (choice,) = posted(connect("vllm", protocol), asked, streams=streams)["choices"]

    words = json.dumps({"max_tokens": 5, "temperature": 0, "logprobs": 2}).split(" ")
    assert choice["logprobs"]["tokens"] == words
    assert choice["token_ids"] == [100 + len(word) for word in words]
    assert choice["logprobs"]["token_logprobs"] == [-0.5] * len(words)
    assert choice["logprobs"]["top_logprobs"][0] == {words[0]: -0.5, "most": -0.25, "least": -2.0}


def test_a_conversation_comes_without_the_bos_that_the_server_adds(connect, v1_folder):
    """The template of v1 begins with BOS, and so does every text that its tokenizer reads."""
    conversation = (Message("user", "How long?"),)

    (found,) = connect("vllm", reference=v1_folder).answer([Request(conversation, decoding=GREEDY)])

    assert found.usage.prompt_tokens == len("<|user|>How long?<|assistant|>")


def posted(server, payload, *, streams=False):
    """The body of an answer, in the shape of `completions`."""
    server._transport.open()
    return server._transport.post(Post(COMPLETIONS, payload), streams=streams).body
