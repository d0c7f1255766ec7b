"""The keeper starts the engine on demand, once more after a crash, and ends it."""

import os
import signal
import threading
from pathlib import Path

import pytest

from pytest_llmval.errors import CapabilityMissing, ServerError, StoreError
from pytest_llmval.records.files import open_log
from pytest_llmval.servers.broker import process
from pytest_llmval.servers.broker.channel import Address, Channel, Message
from pytest_llmval.servers.broker.client import BrokeredServer, Line
from pytest_llmval.servers.broker.faults import fault_message, raise_fault
from pytest_llmval.servers.broker.keeper import Keeper
from pytest_llmval.servers.exchange import Request
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


def scripted(tmp_path):
    """A model version that needs no library, answered by the engine process all the same."""
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"prompt": "*", "text": "yes"}\n', encoding="utf-8")
    return ModelSettings("v1", server="scripted", answers=str(answers))


def ask(keeper, tmp_path):
    """Ask over a line of one's own, as a worker does."""
    return BrokeredServer(scripted(tmp_path), 8, Line(keeper.address)).answer([Request("is it?")])


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
    with pytest.raises(ServerError, match="the process that keeps the engine of this run is gone: ConnectionRefused"):
        ask(keeper, tmp_path)


def test_an_engine_that_died_is_started_once_more(keeper, tmp_path):
    """The call that lost it is repeated; who lost it too is sent to the same new one; a second death is the last."""
    line = Line(keeper.address)
    server = BrokeredServer(scripted(tmp_path), 8, line)
    other = BrokeredServer(scripted(tmp_path), 8, Line(keeper.address))
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
    line = Line(keeper.address)
    server = BrokeredServer(scripted(tmp_path), 8, line)
    server.answer([Request("a")])
    server.close()
    server.close()
    server.answer([Request("a")])

    assert not keeper.deaths


def test_an_engine_that_does_not_start_is_reported_with_its_log(keeper, tmp_path, monkeypatch):
    """Twice it is tried, with the end of the log in the message; then no more."""
    command = (process.COMMAND[0], "-c", "import sys; print('no such library', file=sys.stderr); sys.exit(3)")
    monkeypatch.setattr(process, "COMMAND", command)

    for _ in range(2):
        with pytest.raises(ServerError, match=r"ended before it listened \(exit status 3\); the end of .*\n +no such"):
            ask(keeper, tmp_path)
    with pytest.raises(ServerError, match=r"died 2 times \(exit status 3, 3; "):
        ask(keeper, tmp_path)
    assert keeper.log.read_text(encoding="utf-8").count("no such library") == 2


def test_a_log_that_cannot_be_opened_is_the_stores_error(tmp_path):
    """As any other write of the run."""
    (tmp_path / "run").write_text("", encoding="utf-8")
    keeper = Keeper(tmp_path / "run" / "engine.log", open_log)

    with pytest.raises(StoreError, match=r"cannot write .*engine\.log: .*; records go where --llmval-store says"):
        ask(keeper, tmp_path)
    keeper.close()


def test_nobody_gets_in_without_the_secret(keeper, tmp_path):
    """Neither at the keeper's door nor at the engine's; the engine goes on and notes it."""
    ask(keeper, tmp_path)
    told = Channel.to(keeper.address)
    told.send(Message({"lost": 0}))
    port = told.receive().values["port"]
    told.close()

    for door in (keeper.address.port, port):
        with pytest.raises((Exception,)) as refused:
            Channel.to(Address(door, "00" * 32))
        assert type(refused.value).__name__ in ("AuthenticationError", "ConnectionResetError", "EOFError")
    with pytest.raises(ServerError, match="the process that keeps the engine of this run is gone: Authentication"):
        BrokeredServer(scripted(tmp_path), 8, Line(Address(keeper.address.port, "00" * 32))).answer([])

    assert ask(keeper, tmp_path)[0].text == "yes"
    assert "somebody knocked and was not let in: AuthenticationError" in keeper.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (CapabilityMissing("no logits"), CapabilityMissing, "no logits"),
        (ValueError("stride=9"), ValueError, "stride=9"),
        (ZeroDivisionError("by zero"), ServerError, "the engine failed: ZeroDivisionError: by zero"),
    ],
)
def test_errors_arrive_as_they_were_raised(error, kind, text):
    """Kinds that mean something to a worker stay what they are; any other is a fault of the server."""
    with pytest.raises(kind) as raised:
        raise_fault(fault_message(error))

    assert type(raised.value) is kind
    assert str(raised.value) == text
