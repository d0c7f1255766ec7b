"""Real faults of a real server: how often it is asked, how long is waited, and what is said in the end."""

from __future__ import annotations

import json
import socket
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.errors import RequestRefused, ServerError
from pytest_llmval.servers.exchange import Request
from pytest_llmval.servers.remote.endpoint import Standing
from pytest_llmval.servers.remote.faults import Unanswered, fault_of

pytestmark = pytest.mark.servers

HELLO = Request("hello", decoding=Decoding(max_tokens=4))


def several(count):
    """So many requests."""
    return [Request(f"hello {number}", decoding=Decoding(max_tokens=4)) for number in range(count)]


@pytest.mark.parametrize("defects", [{"throttled": 2}, {"failing": 2}, {"garbage": 2}, {"hang_ups": 2}], ids=str)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "in pieces"])
def test_two_faults_and_then_an_answer(connect, served, engine, defects, streams):
    """Three requests reach the server, two waits lie between them, and the answer is the engine's."""
    served.suffer(**defects)
    waits = []

    (answered,) = connect(waits=waits, streams=streams).ask([HELLO])

    assert answered.response.text == engine.answer([HELLO])[0].text
    assert answered.response.timing.attempts == len(served.asked) == 3
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("defects", "last"),
    [
        ({"throttled": 9}, "429: slow down"),
        ({"failing": 9}, "500: the engine is on fire"),
        ({"failing": 9, "status": 503}, "503: the engine is on fire"),
        ({"failing": 9, "status": 408}, "408: the engine is on fire"),
        ({"garbage": 9}, "the answer is not JSON: '<html>it works</html>'"),
        ({"garbage": 9, "text": "[]"}, "the answer has no choices: '[]'"),
        ({"garbage": 9, "text": '{"choices": []}'}, "the answer has no choices: '{\"choices\": []}'"),
    ],
    ids=str,
)
def test_a_server_that_stays_broken_is_given_up(connect, served, defects, last):
    """After four attempts, with the place, their number, the time and the last fault."""
    served.suffer(**defects)

    with pytest.raises(Unanswered) as caught:
        connect().answer([HELLO])

    head, _, tail = str(caught.value).partition(" in ")
    assert head == f"version 'remote': {served.url}/completions: no answer after 4 attempts"
    assert tail.partition("; ")[2] == f"the last one: {last}"
    assert len(served.asked) == 4


def test_a_key_that_the_server_repeats_is_in_no_traceback(connect, served, monkeypatch):
    """Neither the message nor what caused it shows it, as pytest would print both."""
    monkeypatch.setenv("OUR_KEY", "sk-wrong")
    served.suffer(key="sk-right")

    with pytest.raises(ServerError, match="Incorrect key: Bearer \\*\\*\\*") as caught:
        connect(api_key_env="OUR_KEY").answer([HELLO])

    assert "sk-wrong" not in "".join(traceback.format_exception(caught.value))


def test_a_hang_up_within_the_answer_is_given_up(connect, served):
    """Half of a body is no answer."""
    served.suffer(hang_ups=9)

    with pytest.raises(
        Unanswered, match=r"after 4 attempts .* the last one: RemoteProtocolError: peer closed connection"
    ):
        connect().answer([HELLO])
    assert len(served.asked) == 4


@pytest.mark.parametrize(
    ("politely", "last"), [(False, "RemoteProtocolError: peer closed"), (True, "the answer broke off before its end")]
)
def test_a_hang_up_within_a_stream_is_given_up(connect, served, politely, last):
    """Also where the connection is closed in good order, so that only the last event is missing."""
    served.suffer(hang_ups=9, politely=politely)

    with pytest.raises(Unanswered, match=rf"after 4 attempts .* the last one: {last}"):
        connect(streams=True).answer([HELLO])
    assert len(served.asked) == 4


def test_a_server_that_never_answers_is_given_up(connect, served):
    """Two attempts of a fifth of a second."""
    served.suffer(never_answers=True)

    start = time.perf_counter()
    with pytest.raises(Unanswered, match=r"after 2 attempts .*; the last one: no answer within 0.2 s \(ReadTimeout\)$"):
        connect(patience={"attempts": 2, "timeout": 0.2}).answer([HELLO])

    assert 0.4 <= time.perf_counter() - start < 3
    assert len(served.asked) == 2


def test_an_answer_that_trickles_is_given_up(connect, served):
    """Each piece comes in time, all of them do not."""
    served.suffer(next_token=0.15)
    request = Request("The opening", decoding=Decoding(max_tokens=40))

    with pytest.raises(
        Unanswered, match=r"after 1 attempt in .*; the last one: the answer was not complete after 0.4 s$"
    ):
        connect(streams=True, patience={"attempts": 1, "timeout": 0.4}).answer([request])


def test_nobody_listens(connect):
    """The address of a server that is not there is tried as often as one that is."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"

        with pytest.raises(Unanswered, match=r"^version 'remote': .* after 4 attempts .* ConnectError: .*refused"):
            connect(url=url).answer([HELLO])


def test_a_request_that_stays_unanswered_fails_alone(connect, served):
    """The others are answered, so that the server is up; the response says why there is none."""
    served.suffer(never_answers_to="hello 3")

    found = connect(patience={"attempts": 2, "timeout": 0.5}).answer(several(6))

    assert [number for number, each in enumerate(found) if each.error] == [3]
    assert "no answer after 2 attempts" in found[3].error
    assert len(served.asked) == 7


def test_a_server_that_is_down_is_not_asked_everything(connect, served):
    """Of 40 requests the 8 that are sent at a time are tried, 4 times each, before it is given up."""
    served.suffer(failing=1000)

    with pytest.raises(Unanswered):
        connect().answer(several(40))

    assert len(served.asked) <= 16 * 4


def test_waits_double_and_vary_by_the_seed(connect, served):
    """0.5, 1, 2 seconds and up to 2 at most here, each up to a half shorter; the same seed gives the same waits."""
    served.suffer(failing=1000)
    waits, again = [], []
    patience = {"attempts": 6, "longest_wait": 2.0}

    for each in (waits, again):
        with pytest.raises(Unanswered):
            connect(waits=each, patience=patience).answer([HELLO])

    assert waits == again
    assert [full / 2 <= wait <= full for wait, full in zip(waits, (0.5, 1, 2, 2, 2), strict=True)] == [True] * 5
    assert len({wait / full for wait, full in zip(waits, (0.5, 1, 2, 2, 2), strict=True)}) == 5


def test_the_server_says_how_long_to_wait(connect, served):
    """Its 1.5 seconds are longer than ours; the limiter keeps everybody else away as long, by the real clock."""
    served.suffer(throttled=1, retry_after=1.5)
    waits = []

    start = time.perf_counter()
    connect(waits=waits).answer([HELLO])

    assert waits == [1.5]
    assert time.perf_counter() - start >= 1.5


def test_the_server_says_until_when_to_wait(connect, served):
    """An HTTP date, whole seconds, two of them ahead."""
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    served.suffer(throttled=1, retry_after=until)
    waits = []

    connect(waits=waits).answer([HELLO])

    assert 0.9 < waits[0] <= 2


def test_a_wait_that_is_too_long_is_not_begun(connect, served):
    """An hour: the server is asked once, and the message says what it wanted and what is allowed."""
    served.suffer(throttled=1, retry_after=3600)

    with pytest.raises(
        Unanswered, match=r"after 1 attempt in .*, and the next one would come 3600 s later, past the 300 s"
    ):
        connect().answer([HELLO])
    assert len(served.asked) == 1


def test_waiting_for_leave_does_not_use_up_the_patience(connect, served):
    """Leave takes 0.3 s each time and 0.2 s of patience are given: the fault is repeated nevertheless."""
    from pytest_llmval.servers.remote.limiter import Limiter, Limits

    class Slow(Limiter):
        def acquire(self, tokens=0):
            time.sleep(0.3)
            return super().acquire(tokens)

    served.suffer(failing=1)

    (answered,) = connect(limiter=Slow(Limits()), patience={"seconds": 0.2, "first_wait": 0.01}).ask([HELLO])

    assert answered.response.timing.attempts == 2
    assert answered.response.timing.waited_seconds >= 0.6


def test_a_throttled_server_is_asked_less_at_a_time(connect, served):
    """The concurrency is halved from 8 once or more, which 12 answers do not make up for, and all are answered."""
    served.suffer(throttled=3, slow=0.05)
    server = connect()

    found = server.answer(several(12))

    assert all(each.error is None for each in found)
    assert len(served.asked) == 15
    assert 1 <= server._transport.limiter.allowed < 8


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_refused_is_sent_once(connect, served, status):
    """The server's words are the reason of the response."""
    served.suffer(failing=1, status=status)

    (found,) = connect().answer([HELLO])

    assert found.error == (
        f"version 'remote': {served.url}/completions: the server refused the request ({status}: the engine is on fire)"
    )
    assert len(served.asked) == 1


def test_a_model_that_the_server_does_not_have(connect, served):
    """Every request would be refused, so it is no fault of this one; the message says what to look at."""
    with pytest.raises(
        ServerError, match=r"no such path or model \(404: the model other does not exist\); .* given model = 'other'$"
    ):
        connect(model="other").answer([HELLO])
    assert len(served.asked) == 1


def test_a_base_url_without_the_version(connect, served):
    """The message shows what a base URL looks like."""
    with pytest.raises(ServerError, match=r"\(404: Not Found\); expected the base URL with its version, as in http://"):
        connect(url=served.url.removesuffix("/v1")).answer([HELLO])


@pytest.mark.parametrize("url", ["localhost:8000/v1", ""])
def test_a_url_that_is_none(connect, url):
    """Nothing is sent."""
    with pytest.raises(ServerError, match=rf"^version 'remote': url = '{url}'; expected http://… or https://…$"):
        connect(url=url).answer([HELLO])


def test_passwords_in_a_url_are_not_shown(connect, served):
    """Nor what stands after a question mark."""
    served.suffer(failing=9)

    with pytest.raises(Unanswered) as caught:
        connect(url=served.url.replace("//", "//me:hush@")).answer([HELLO])

    assert "hush" not in str(caught.value)
    assert served.url in str(caught.value)


def test_more_tokens_than_a_minute_has_are_refused(connect, served):
    """The request fails with both numbers and is not sent."""
    from pytest_llmval.servers.remote.limiter import Limits

    (found,) = connect(limits=Limits(tokens_per_minute=3)).answer([HELLO])

    assert "the request may take 6 tokens; tokens_per_minute = 3 allows no request of that size" in found.error
    assert served.asked == []


def test_a_likelihood_that_stays_unanswered_is_a_server_error(connect, served):
    """No request is refused here, so that it is not the pair's fault."""
    server = connect()
    assert server.capabilities.loglikelihood
    served.suffer(failing=9)

    with pytest.raises(Unanswered) as caught:
        server.loglikelihood([("one", " two")])
    assert not isinstance(caught.value, RequestRefused)


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ('data: {"error": {"message": "boom"}}\n\n', 'the server broke the answer off: {"error": {"message": "boom"}}'),
        ("data: {oops\n\n", "a piece of the answer is not JSON: '{oops'"),
        ("<html>it works</html>", "the answer broke off before its end"),
    ],
)
def test_a_stream_of_something_else_is_given_up(connect, served, text, last):
    """Each is tried again, and the last one is shown."""
    served.suffer(garbage=9, text=text)

    with pytest.raises(Unanswered) as caught:
        connect(streams=True).answer([HELLO])

    assert str(caught.value).endswith(f"; the last one: {last}")
    assert len(served.asked) == 4


@pytest.mark.parametrize(
    ("choice", "what"),
    [
        ({"finish_reason": "stop"}, "KeyError: 'text'"),
        (
            {"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [None]}},
            "ValueError: the generated token 'a' has no logprob",
        ),
    ],
)
def test_an_answer_of_another_shape_is_a_server_error(connect, served, choice, what):
    """JSON with choices that are none: nothing is made up for what is missing."""
    served.suffer(garbage=9, text=json.dumps({"choices": [choice]}))

    with pytest.raises(ServerError) as caught:
        connect().answer([HELLO])

    assert f"the answer has another shape than expected ({what}): " in str(caught.value)


def test_an_account_without_money_is_not_asked_again():
    """OpenAI says so with the status of too many requests, and only the code tells that waiting does not help."""
    text = json.dumps({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}})

    fault = fault_of(Standing("remote", "http://host/v1", "tiny"), 429, {}, text)

    assert type(fault) is ServerError
    assert str(fault) == "the server does not answer this account or address (429: You exceeded your quota)"


def test_a_long_refusal_is_shortened():
    """300 characters of it are shown."""
    fault = fault_of(Standing("remote", "http://host/v1", "tiny"), 400, {}, "x" * 1000)

    assert str(fault) == f"the server refused the request (400: {'x' * 299}…)"


def test_a_port_that_is_none(connect):
    """The URL and what is wrong with it are shown."""
    with pytest.raises(ServerError, match=r"url = 'http://host:door/v1' is none: Invalid port: 'door'$"):
        connect(url="http://host:door/v1").answer([HELLO])
