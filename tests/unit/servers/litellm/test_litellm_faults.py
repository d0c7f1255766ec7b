"""Real faults through litellm: how often the server is asked, how long is waited, and what is said in the end."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import pytest

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.case_sets.message import Message
from pytest_llmval.errors import ServerError
from pytest_llmval.servers.exchange import Request
from pytest_llmval.servers.remote.endpoint import Standing
from pytest_llmval.servers.remote.faults import NotThere, Unanswered
from pytest_llmval.servers.remote.litellm_faults import fault_behind
from pytest_llmval.servers.remote.litellm_sender import LitellmSender

pytestmark = pytest.mark.servers

HELLO = Request("hello", decoding=Decoding(max_tokens=4))
CHAT = Request((Message("user", "hello"),), decoding=Decoding(max_tokens=4))


@dataclass(frozen=True)
class Way:
    """One of the ways through litellm."""

    model: str
    request: Request
    streams: bool = False

    @property
    def given(self):
        """What `connect` takes."""
        return {"model": self.model, "streams": self.streams}


WAYS = pytest.mark.parametrize(
    "way",
    [
        Way("openai/tiny", HELLO),
        Way("openai/tiny", CHAT),
        Way("openai/tiny", CHAT, streams=True),
        Way("hosted_vllm/tiny", CHAT),
        Way("hosted_vllm/tiny", CHAT, streams=True),
    ],
    ids=["prompt", "chat", "chat in pieces", "another provider", "another provider in pieces"],
)


@WAYS
@pytest.mark.parametrize("defects", [{"throttled": 2}, {"failing": 2}, {"garbage": 2}, {"hang_ups": 2}], ids=str)
def test_two_faults_and_then_an_answer(connect, served, engine, way, defects):
    """Three requests reach the server, two waits lie between them, and the answer is the engine's."""
    served.suffer(**defects)
    waits = []

    (found,) = connect(**way.given, waits=waits).answer([way.request])

    assert found.text == engine.answer([way.request])[0].text
    assert found.timing.attempts == len(served.asked) == 3
    assert len(waits) == 2


@WAYS
@pytest.mark.parametrize(
    ("defects", "last"),
    [
        ({"throttled": 9}, "429: slow down"),
        ({"failing": 9}, "500: the engine is on fire"),
        ({"failing": 9, "status": 503}, "503: the engine is on fire"),
        ({"failing": 9, "status": 408}, "408: the engine is on fire"),
        ({"failing": 9, "status": 409}, "409: the engine is on fire"),
    ],
    ids=str,
)
def test_a_server_that_stays_broken_is_given_up(connect, served, way, defects, last):
    """After four requests, with the server's own words."""
    served.suffer(**defects)

    with pytest.raises(Unanswered) as caught:
        connect(**way.given).answer([way.request])

    head, _, tail = str(caught.value).partition(" in ")
    path = "completions" if way.request is HELLO else "chat/completions"
    assert head == f"version 'hosted': litellm {way.model} at {served.url}: {path}: no answer after 4 attempts"
    assert tail.partition("; ")[2] == f"the last one: {last}"
    assert len(served.asked) == 4


@WAYS
def test_a_server_that_never_answers_is_given_up(connect, served, way):
    """Two attempts of a fifth of a second are two requests."""
    served.suffer(never_answers=True)

    with pytest.raises(Unanswered, match=r"after 2 attempts .*; the last one: no answer within 0.2 s \(ReadTimeout\)$"):
        connect(**way.given, patience={"attempts": 2, "timeout": 0.2}).answer([way.request])
    assert len(served.asked) == 2


@WAYS
def test_the_server_says_how_long_to_wait(connect, served, way):
    """Its 0.6 seconds are longer than ours, which are 0.5 at most."""
    served.suffer(throttled=1, retry_after=0.6)
    waits = []

    connect(**way.given, waits=waits).answer([way.request])

    assert waits == [0.6]


@WAYS
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_refused_is_sent_once(connect, served, way, status):
    """The server's words are the reason of the response."""
    served.suffer(failing=1, status=status)

    (found,) = connect(**way.given).answer([way.request])

    assert found.error.endswith(f"the server refused the request ({status}: the engine is on fire)")
    assert len(served.asked) == 1


def test_a_conversation_that_is_refused_for_its_roles_is_not_changed(connect, served):
    """At these words litellm puts a message between two of the same role and asks again."""
    served.suffer()
    turns = (Message("user", "hello"), Message("user", "there"))

    with pytest.raises(NotThere, match=r"\(404: the model Conversation roles must alternate user/assistant does not "):
        connect(model="openai/Conversation roles must alternate user/assistant").answer([Request(turns)])

    (asked,) = served.asked
    assert [each["content"] for each in asked["body"]["messages"]] == ["hello", "there"]


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("<html>it works</html>", "the answer is not JSON: '<html>it works</html>'"),
        ('{"choices": []}', "the answer has no choices: {'id': "),
    ],
)
def test_an_answer_of_something_else_is_given_up(connect, served, text, last):
    """What came is shown."""
    served.suffer(garbage=9, text=text)

    with pytest.raises(Unanswered) as caught:
        connect().answer([HELLO])

    assert f"; the last one: {last}" in str(caught.value)
    assert len(served.asked) == 4


def test_nobody_listens(connect):
    """A connection that is refused is no error of a server, as litellm says, and its cause is kept."""
    with pytest.raises(Unanswered, match=r"after 4 attempts .* ConnectError: .*refused$") as caught:
        connect(url="http://127.0.0.1:9/v1").answer([HELLO])

    import litellm

    assert isinstance(caught.value.__cause__.__cause__, litellm.InternalServerError)


def test_a_model_that_the_server_does_not_have(connect, served):
    """Every request would be refused, so it is no fault of this one."""
    with pytest.raises(ServerError, match=r"\(404: the model other does not exist\); .* given model = 'openai/other'$"):
        connect(model="openai/other").answer([HELLO])
    assert len(served.asked) == 1


@pytest.mark.parametrize("model", ["tiny", "nobody/tiny"])
def test_a_name_without_a_provider(connect, served, model):
    """The message shows what a name looks like; nothing is sent."""
    with pytest.raises(ServerError) as caught:
        connect(model=model).answer([HELLO])

    assert str(caught.value) == (
        f"version 'hosted': litellm knows no provider of model = {model!r}; expected the provider before the name, "
        "as in 'openai/gpt-4.1-mini', or 'openai/NAME' for a server of one's own at url"
    )
    assert served.asked == []


def test_a_url_that_is_none(connect):
    """The URL and what is wrong with it are shown."""
    with pytest.raises(
        ServerError, match=r"^version 'hosted': url = 'http://host:door/v1' is none: Invalid port: 'door'$"
    ):
        connect(url="http://host:door/v1").answer([HELLO])


def test_a_library_that_is_missing_for_one_provider_is_named():
    """It is not asked again and again."""
    try:
        try:
            raise ModuleNotFoundError("No module named 'botany'")
        except ImportError as error:
            raise ConnectionError("whatever litellm makes of it") from error
    except ConnectionError as error:
        fault = fault_behind(Standing("hosted", "", "some/model"), error, 5.0)

    assert type(fault) is ServerError
    assert str(fault) == (
        "litellm asks this model with another library, which has to be installed: No module named 'botany'"
    )


@WAYS
def test_nothing_is_printed(connect, served, capfd, way):
    """Neither with an answer nor with a fault; litellm would show where to get help."""
    server = connect(**way.given)
    server.answer([way.request])
    served.suffer(failing=4)

    with pytest.raises(Unanswered):
        server.answer([way.request])

    assert capfd.readouterr() == ("", "")


def shown(error):
    """An exception with all from which it was raised, as pytest shows it."""
    return "".join(traceback.format_exception(error))


@WAYS
def test_a_key_comes_from_the_environment_and_stays_out_of_messages(connect, served, monkeypatch, way):
    """The right one opens; a wrong one is named by its variable only, though the server repeats it."""
    served.suffer(key="right-key")
    monkeypatch.setenv("SOME_KEY", "right-key")
    given = way.given | {"api_key_env": "SOME_KEY"}
    assert connect(**given).answer([way.request])[0].error is None
    monkeypatch.setenv("SOME_KEY", "wrong-key")

    with pytest.raises(ServerError) as caught:
        connect(**given).answer([way.request])

    assert str(caught.value).endswith(
        "refused the key (401: Incorrect key: Bearer ***); set the environment variable SOME_KEY to a valid one"
    )
    assert "wrong-key" not in shown(caught.value)


def test_a_key_within_a_stream_stays_out_of_messages(connect, served, monkeypatch):
    """Nor does it appear in what the error was raised from."""
    served.suffer(garbage=9, text='data: {"error": {"message": "bad key hush-hush"}}\n\n')
    monkeypatch.setenv("SOME_KEY", "hush-hush")

    with pytest.raises(Unanswered, match=r"the last one: APIError: bad key \*\*\*$") as caught:
        connect(streams=True, api_key_env="SOME_KEY").answer([CHAT])

    assert "hush-hush" not in shown(caught.value)


def test_a_key_that_litellm_finds_itself_stays_out_of_messages(connect, served, monkeypatch):
    """It is the value of a variable that is called a key."""
    served.suffer(key="right-key")
    monkeypatch.setenv("MISTRAL_API_KEY", "hush-hush")

    with pytest.raises(ServerError, match=r"Bearer \*\*\*") as caught:
        connect(model="mistral/tiny").answer([CHAT])

    assert "hush-hush" not in shown(caught.value)
    assert served.asked[-1]["key"] == "Bearer hush-hush"


def test_the_key_of_openai_is_not_sent_elsewhere(connect, served, monkeypatch):
    """Only where the settings say so."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")

    connect().answer([HELLO, CHAT])
    connect(api_key_env="OPENAI_API_KEY").answer([HELLO])

    assert [each["key"] for each in served.asked] == ["Bearer none"] * 2 + ["Bearer sk-of-openai"]


def test_the_key_of_openai_is_not_for_other_providers(version, monkeypatch):
    """Nothing is sent here: the client for prompts to one whose own key is not set holds none."""
    monkeypatch.delenv("TOGETHERAI_API_KEY", raising=False)
    monkeypatch.delenv("TOGETHER_AI_TOKEN", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    sender = LitellmSender(version(model="together_ai/some/model", url=""))

    assert sender._client.base_url.host.startswith("api.together.")
    assert sender._client.api_key == "none"
    sender.close()


def test_a_key_is_not_logged(connect, served, monkeypatch, caplog):
    """Not even where everything is."""
    served.suffer(key="hush-hush")
    monkeypatch.setenv("SOME_KEY", "hush-hush")
    caplog.set_level("DEBUG")

    connect(api_key_env="SOME_KEY").answer([HELLO, CHAT])

    assert "/v1/completions" in caplog.text
    assert "hush-hush" not in caplog.text


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-20250514"])
def test_no_key_at_all(connect, model):
    """Nothing is sent, and the message says where litellm looks for one."""
    expected = (
        r"no key, or not the right one \(401: .*\); litellm takes it from the environment variable of the provider, "
        r'such as OPENAI_API_KEY: set that, or name another with api_key_env = "…"$'
    )
    with pytest.raises(ServerError, match=expected):
        connect(model=model, url="").answer([CHAT])
