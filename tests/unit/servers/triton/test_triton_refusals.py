"""What is said of models that cannot be asked."""

from __future__ import annotations

import pytest

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.exchange import Request

pytestmark = pytest.mark.servers

HELLO = [Request("hello")]


@pytest.fixture(params=["http", "grpc"])
def protocol(request):
    """Each protocol."""
    return request.param


def test_an_unknown_model(connect, protocol):
    """The models of the repository are listed, the nearest first."""
    expected = (
        r"^version 'served': .*asistant: the server has no model 'asistant' \(Request for unknown model: 'asistant' is "
        r"not found\); did you mean 'assistant'\? known: 'adder', 'assistant', .*'whole'$"
    )
    with pytest.raises(ServerError, match=expected):
        connect("asistant", protocol).answer(HELLO)


def test_an_unknown_version(connect, protocol):
    """The versions that there are, and what became of them."""
    expected = (
        r"the model 'assistant' in version '9' is not ready \(Request for unknown model: 'assistant' version 9 is not "
        r"found\); the server has 'assistant' version '1' READY$"
    )
    with pytest.raises(ServerError, match=expected):
        connect(protocol=protocol, revision="9").answer(HELLO)


def test_a_model_that_could_not_be_loaded(connect, protocol, triton):
    """The server's reason is shown."""
    assert triton.post("/v2/repository/models/broken/load") == 400

    with pytest.raises(
        ServerError, match=r"the model 'broken' is not ready .* UNAVAILABLE \(.*the weights are missing"
    ):
        connect("broken", protocol).answer(HELLO)


def test_a_model_that_takes_no_text(connect, protocol):
    """What it takes and gives, and what is expected."""
    expected = (
        r"the model 'adder' does not write text: its inputs are 'INPUT0', 'INPUT1', its outputs 'OUTPUT0'; expected an "
        r"input 'text_input' and an output 'text_output', as models of the TensorRT-LLM and vLLM backends have them$"
    )
    with pytest.raises(ServerError, match=expected):
        connect("adder", protocol).answer(HELLO)


def test_a_model_that_requires_what_is_not_known(connect, protocol):
    """The input is named, and those that are known."""
    expected = (
        r"the model 'captioner' requires the input 'image', and it is not known what to say there; known are "
        r"'bad_words', .*'text_input'.*: make it optional, or ask another model of the server$"
    )
    with pytest.raises(ServerError, match=expected):
        connect("captioner", protocol).answer(HELLO)


def test_a_decoupled_model_without_the_generate_extension(connect, without_generate):
    """Infer cannot ask it over HTTP; gRPC can."""
    expected = r"no generate extension, and the model 'assistant' is decoupled, .*; expected protocol = \"grpc\"$"
    with pytest.raises(ServerError, match=expected):
        connect(url=without_generate).answer(HELLO)


def test_a_server_that_is_not_there(connect, protocol):
    """Is infrastructure: it is insisted on, and the address is named."""
    server = connect(protocol=protocol, url="http://127.0.0.1:9")
    server._transport._sleep = lambda _: None

    with pytest.raises(ServerError, match=r"^version 'served': .*127.0.0.1:9.*: no answer after 6 attempts in "):
        server.answer(HELLO)


def test_grpc_without_its_library(connect, monkeypatch):
    """The command that installs it."""
    monkeypatch.setitem(__import__("sys").modules, "tritonclient.grpc", None)

    expected = r"^version 'served' needs tritonclient: pip install pytest-llmval\[triton\]$"
    with pytest.raises(ServerError, match=expected):
        connect(protocol="grpc").answer(HELLO)
