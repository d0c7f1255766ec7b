"""The keeper starts the engine on demand, once more after a crash, and ends it."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from pytest_llmval.errors import CapabilityMissing, ServerError, StoreError
from pytest_llmval.records.files import open_log
from pytest_llmval.servers.broker import channel, client, process
from pytest_llmval.servers.broker import keeper as keeper_module
from pytest_llmval.servers.broker.channel import Address, Channel, Message
from pytest_llmval.servers.broker.client import BrokeredServer, Line
from pytest_llmval.servers.broker.faults import fault_message, raise_fault
from pytest_llmval.servers.broker.keeper import Keeper
from pytest_llmval.servers.exchange import Request
from pytest_llmval.servers.opening import Terms
from pytest_llmval.settings import ModelSettings


@pytest.fixture
def keeper(tmp_path):
    """A keeper that has started nothing."""
    made = Keeper(tmp_path / "run" / "engine.log", open_log)
    yield made
    made.close()


def engine_pid(keeper, number):
    """Process id of an engine, as the log has it."""
    lines = keeper.log.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[-1]) for line in lines if line.startswith(f"engine {number}: process"))


def is_running(pid):
    """Whether there is such a process; one that waits to be buried is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def told_port(keeper, *, lost):
    """Where the engine listens, as a worker is told that has lost this one."""
    line = Channel.to(keeper.address)
    line.send(Message({"lost": lost}))
    reply = line.receive()
    line.close()
    return reply.values["port"]


class DeviceError(RuntimeError):
    """An error of a library, of a kind that Python knows."""


def scripted(tmp_path):
    """A model version that needs no library, answered by the engine process all the same."""
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"prompt": "*", "text": "yes"}\n', encoding="utf-8")
    return ModelSettings("v1", server="scripted", answers=str(answers))


def ask(keeper, tmp_path):
    """Ask over a line of one's own, as a worker does."""
    return BrokeredServer(scripted(tmp_path), Terms(8), Line(keeper.address)).answer([Request("is it?")])


def test_nothing_is_started_before_it_is_asked_for(keeper):
    """A run that only replays has no engine."""
    assert keeper.log is None
    assert not keeper.deaths


def test_all_workers_get_the_same_engine(keeper, tmp_path):
    """Also those that ask at the same moment."""
    answers = []
    workers = [threading.Thread(target=lambda: answers.extend(ask(keeper, tmp_path))) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert [answer.text for answer in answers] == ["yes"] * 8
    assert keeper.log.read_text(encoding="utf-8").count("process") == 1


def test_the_engine_ends_with_the_keeper(keeper, tmp_path):
    """Closing leaves no process, and who asks afterwards is told."""
    ask(keeper, tmp_path)
    pid = engine_pid(keeper, 1)
    assert is_running(pid)

    keeper.close()

    assert not is_running(pid)
    with pytest.raises(ServerError, match="the process that keeps the engine of this run is gone: Connection"):
        ask(keeper, tmp_path)


def test_an_engine_that_died_is_started_once_more(keeper, tmp_path):
    """The call that lost it is repeated; who lost it too is sent to the same new one; a second death is the last."""
    line = Line(keeper.address)
    server = BrokeredServer(scripted(tmp_path), Terms(8), line)
    other = BrokeredServer(scripted(tmp_path), Terms(8), Line(keeper.address))
    assert server.answer([Request("a")]) == other.answer([Request("a")])
    os.kill(engine_pid(keeper, 1), signal.SIGKILL)
    assert server.answer([Request("a")])[0].text == other.answer([Request("a")])[0].text == "yes"
    assert keeper.deaths == [-9]
    os.kill(engine_pid(keeper, 2), signal.SIGKILL)

    with pytest.raises(ServerError, match=r"the engine process died 2 times \(exit status -9, -9; -9 is killed, perh"):
        server.answer([Request("a")])
    with pytest.raises(ServerError, match=r"    engine 2: process \d+"):
        other.answer([Request("a")])


def test_hanging_up_is_no_death(keeper, tmp_path):
    """A worker that closed its connection, as after Ctrl-C, comes back to the same engine."""
    server = BrokeredServer(scripted(tmp_path), Terms(8), Line(keeper.address))
    server.answer([Request("a")])
    server.close()
    server.close()
    server.answer([Request("a")])

    assert not keeper.deaths


def test_a_lost_connection_alone_is_no_death(keeper, tmp_path):
    """Who says that it lost an engine that answers is sent back to it."""
    ask(keeper, tmp_path)

    assert told_port(keeper, lost=1) == told_port(keeper, lost=0)
    assert not keeper.deaths


def test_an_engine_that_is_stuck_is_replaced(keeper, tmp_path, monkeypatch):
    """It is there, but lets nobody in any more: the worker that waits for it has it replaced."""
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(channel, "HANDSHAKE_SECONDS", 0.5)
    monkeypatch.setattr(keeper_module, "DYING_SECONDS", 0.1)
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    server = BrokeredServer(scripted(tmp_path), Terms(8), Line(keeper.address))
    server.answer([Request("a")])
    os.kill(engine_pid(keeper, 1), signal.SIGSTOP)

    assert server.answer([Request("a")])[0].text == "yes"
    assert keeper.deaths == [-9]


def test_closing_ends_an_engine_that_says_nothing(tmp_path, monkeypatch):
    """One that hangs before it listens holds up neither the keeper's end nor the worker that waits."""
    command = (process.COMMAND[0], "-c", "import sys, time; sys.stdin.readline(); time.sleep(600)")
    monkeypatch.setattr(process, "COMMAND", command)
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    keeper = Keeper(tmp_path / "engine.log", open_log)
    failed = []

    def wait():
        with pytest.raises(ServerError, match="the run is over, and its engine ended") as raised:
            ask(keeper, tmp_path)
        failed.append(raised.value)

    worker = threading.Thread(target=wait)
    worker.start()
    while not keeper.log or "process" not in keeper.log.read_text(encoding="utf-8"):
        time.sleep(0.01)
    keeper.close()
    worker.join(10)

    assert len(failed) == 1
    assert not is_running(engine_pid(keeper, 1))


def test_an_engine_that_does_not_start_is_tried_once_more(keeper, tmp_path, monkeypatch):
    """Then the end of the log is told, with what it printed in place of its port; and no more are started."""
    words = "import sys; print('hello', flush=True); print('no such library', file=sys.stderr); sys.exit(3)"
    monkeypatch.setattr(process, "COMMAND", (process.COMMAND[0], "-c", words))

    for _ in range(2):
        with pytest.raises(ServerError, match=r"died 2 times \(exit status 3, 3; .*; the end of .*\n(.*\n)* +no such"):
            ask(keeper, tmp_path)
    log = keeper.log.read_text(encoding="utf-8")
    assert log.count("no such library") == 2
    assert log.count("printed 'hello'") == 2
    assert "was given up" in keeper.notice


def test_words_before_the_port_are_harmless(keeper, tmp_path, monkeypatch):
    """A module that prints when it is imported does not keep the engine from being found."""
    main = "print('hello', flush=True); from pytest_llmval.servers.broker.service import main; main()"
    monkeypatch.setattr(process, "COMMAND", (process.COMMAND[0], "-c", main))

    assert ask(keeper, tmp_path)[0].text == "yes"
    assert "printed 'hello'" in keeper.log.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_without_room_costs_the_log(tmp_path):
    """The engine answers all the same, and there is one of it."""
    keeper = Keeper(Path("/dev/full"), lambda path: path.open("a"))

    assert ask(keeper, tmp_path)[0].text == ask(keeper, tmp_path)[0].text == "yes"
    assert keeper.deaths == []
    keeper.close()


def test_a_log_that_cannot_be_opened_is_the_stores_error(tmp_path):
    """As any other write of the run."""
    (tmp_path / "run").write_text("", encoding="utf-8")
    keeper = Keeper(tmp_path / "run" / "engine.log", open_log)

    with pytest.raises(StoreError, match=r"cannot write .*engine\.log: .*; records go where --llmval-store says"):
        ask(keeper, tmp_path)
    keeper.close()


def test_nobody_gets_in_without_the_secret(keeper, tmp_path, monkeypatch):
    """Neither at the keeper's door nor at the engine's; the engine goes on and notes it."""
    monkeypatch.setattr(channel, "HANDSHAKE_SECONDS", 5.0)
    ask(keeper, tmp_path)

    for door in (keeper.address.port, told_port(keeper, lost=0)):
        with pytest.raises((OSError, EOFError)):
            Channel.to(Address(door, "00" * 32))
    with pytest.raises(ServerError, match="the process that keeps the engine of this run is gone: "):
        BrokeredServer(scripted(tmp_path), Terms(8), Line(Address(keeper.address.port, "00" * 32))).answer([])

    assert ask(keeper, tmp_path)[0].text == "yes"
    assert "somebody knocked and was not let in: OSError: it does not know the" in keeper.log.read_text("utf-8")
    assert keeper.address.secret not in repr(keeper.address)


@pytest.mark.parametrize("words", [b"", b"GET / HTTP/1.0\r\n\r\n", b"\x00\x00\x00\x04nono"])
def test_strangers_hold_nobody_up(keeper, tmp_path, words):
    """Who knocks and says nothing, or speaks another language, keeps neither workers nor the end of the run waiting."""
    ask(keeper, tmp_path)
    strangers = [
        socket.create_connection(("127.0.0.1", port)) for port in (keeper.address.port, told_port(keeper, lost=0))
    ]
    for stranger in strangers:
        stranger.sendall(words)

    assert ask(keeper, tmp_path)[0].text == "yes"
    keeper.close()
    assert not is_running(engine_pid(keeper, 1))
    assert not keeper.deaths
    for stranger in strangers:
        stranger.close()


def test_a_call_that_cannot_be_read_is_answered(keeper, tmp_path):
    """What is no call gets a fault and not silence, and the line goes on."""
    ask(keeper, tmp_path)
    line = Channel.to(Address(told_port(keeper, lost=0), keeper.address.secret))
    line._connection.send_bytes(b"not JSON")

    with pytest.raises(ValueError, match="Expecting value"):
        raise_fault(line.receive())
    line.send(Message({"call": "dance"}))
    with pytest.raises(KeyError, match="model"):
        raise_fault(line.receive())
    line.close()


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (CapabilityMissing("no logits"), CapabilityMissing, "no logits"),
        (ValueError("stride=9"), ValueError, "stride=9"),
        (TypeError("not text"), TypeError, "not text"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "lone"), ValueError, "'utf-8' codec can't encode character"),
        (DeviceError("CUDA error"), RuntimeError, "CUDA error"),
        (MemoryError("no room"), ServerError, "the engine failed: MemoryError: no room"),
        (SystemExit(3), ServerError, "the engine failed: SystemExit: 3"),
    ],
)
def test_errors_arrive_as_they_were_raised(error, kind, text):
    """Kinds that mean something to a worker stay what they are; any other is a fault of the server."""
    with pytest.raises(kind) as raised:
        raise_fault(fault_message(error))

    assert type(raised.value) is kind
    assert str(raised.value).startswith(text)
