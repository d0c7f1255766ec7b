"""A server ends with the run, whatever ends the run, and so does all that the server started."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.process import warded
from pytest_llmval.servers.process.warden import descendants

FAMILY = """
for number in range(2):
    if os.fork() == 0:
        print("pid", os.getpid(), flush=True)
        time.sleep(600)
leave_the_group()
serve(sys.argv[1])
"""
"""A server with two children in its group, and a daemon that left it."""

SERVE = "serve(sys.argv[1])"
OWNER = """
import os, sys, time
from pathlib import Path
from pytest_llmval.records.files import open_log
from pytest_llmval.servers.process.launch import Launch
from pytest_llmval.servers.process.launched import LaunchedServer

folder = Path(sys.argv[1])
command = (sys.executable, "-I", "-S", str(folder / "server.py"), "{port}")
server = LaunchedServer(Launch("v1", command, folder, ("/health",), 30.0, folder / "v1.log"), open_log)
server.port()
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def warden_of(server):
    """Process id of the parent of a server."""
    return int(Path(f"/proc/{server.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


@pytest.fixture
def owner(launch, tmp_path):
    """A function from lines to a process that owns a server, with a family, and then runs the lines."""
    owners = []

    def start(lines, server=FAMILY):
        launch(server)  # writes the script
        owners.append(
            subprocess.Popen(
                [sys.executable, "-c", OWNER + lines, tmp_path],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        )
        return owners[-1]

    yield start
    for each in owners:
        with suppress(ProcessLookupError):  # there may be a fork though the owner is gone
            os.killpg(each.pid, signal.SIGKILL)
        each.communicate()


def test_stopping_leaves_nobody(launched, told, is_running):
    """Neither the server, its children and its daemon, nor the warden; at once, and twice is harmless."""
    server = launched(FAMILY)
    server.port()
    pids = [*told("pid", 3), server.pid, warden_of(server)]
    assert all(map(is_running, pids))

    server.stop()
    server.stop()

    assert not any(map(is_running, pids))
    assert server.pid is None
    assert not server.deaths


def test_a_server_that_dies_leaves_nobody(launched, told, is_running):
    """What it started does not disturb the one that follows."""
    server = launched(FAMILY)
    server.port()
    pids = [*told("pid", 3), server.pid, warden_of(server)]
    os.kill(server.pid, signal.SIGKILL)

    assert server.revive()

    assert not any(map(is_running, pids))
    assert is_running(server.pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_leaves_nobody(owner, told, are_gone_soon, number):
    """No signal gives the owner a chance to clean up."""
    run = owner("print('ready', flush=True); import signal; signal.signal(2, signal.SIG_DFL); time.sleep(600)")
    assert run.stdout.readline() == b"ready\n"
    pids = [*told("pid", 3), *descendants(run.pid)]
    assert len(set(pids)) == 5  # the warden, the server and its family

    os.kill(run.pid, number)
    run.wait()

    assert are_gone_soon(pids)


def test_a_run_that_forgets_to_stop_leaves_nobody(owner, told, are_gone_soon):
    """It ends as any program does."""
    run = owner("print(server.pid, flush=True)")
    server = int(run.stdout.readline())

    assert run.wait() == 0
    assert are_gone_soon([server, *told("pid", 3)])


def test_a_fork_of_the_run_does_not_keep_the_server(owner, told, are_gone_soon):
    """It has inherited the pipe whose end is the warden's sign; the owner's death is noticed all the same."""
    run = owner("if os.fork(): print(server.pid, flush=True)\ntime.sleep(600)")
    server = int(run.stdout.readline())

    os.kill(run.pid, signal.SIGKILL)
    run.wait()

    assert are_gone_soon([server, *told("pid", 3)])


def test_a_fork_of_the_run_does_not_hold_up_the_end(owner, told, are_gone_soon):
    """The warden is asked in words too, since the pipe stays open."""
    run = owner("if os.fork() == 0: time.sleep(600)\nserver.stop(); print('stopped', flush=True)")
    pids = told("pid", 3)
    began = time.monotonic()

    assert run.stdout.readline() == b"stopped\n"

    assert time.monotonic() - began < 10  # of the 15 s of grace
    assert are_gone_soon(pids, 0)


def test_stopping_ends_a_server_that_is_just_starting(launched, told, are_gone_soon):
    """Who waits for it is told, and so is who asks afterwards."""
    server = launched("print('pid', os.getpid(), flush=True); time.sleep(600)")
    said = []

    def wait():
        with pytest.raises(ServerError) as raised:
            server.port()
        said.append(str(raised.value))

    waiting = threading.Thread(target=wait)
    waiting.start()
    pids = told("pid")
    server.stop()
    waiting.join(10)

    assert said == ["the run is over, and the server of model version 'v1' was stopped"]
    assert are_gone_soon(pids, 0)
    for ask in (server.port, server.revive, server.restart):
        with pytest.raises(ServerError, match="the run is over"):
            ask()
    assert not server.deaths


def test_a_server_that_ignores_the_request_is_killed(launched, told, monkeypatch, is_running):
    """After the time of grace, not before."""
    monkeypatch.setattr(warded, "GRACE_SECONDS", 0.4)
    server = launched("signal.signal(signal.SIGTERM, signal.SIG_IGN); serve(sys.argv[1])")
    server.port()
    pid = server.pid
    began = time.monotonic()

    server.stop()

    assert 0.4 <= time.monotonic() - began < 3
    assert not is_running(pid)


def test_a_server_that_needs_time_to_end_gets_it(launched, told):
    """Also when the program that launched it is gone before: it cleans up, as Triton below PyTriton."""
    server = launched(
        "def leave(*_):\n"
        "    time.sleep(0.3); print('clean', 1, flush=True); sys.exit()\n"
        "if os.fork() == 0:\n"
        "    signal.signal(signal.SIGTERM, leave); print('pid', os.getpid(), flush=True); time.sleep(600)\n"
        "serve(sys.argv[1])"
    )
    server.port()
    told("pid")

    server.stop()

    assert "clean 1\n" in server.log.read_text("utf-8")


def test_the_terminal_does_not_reach_the_server(launched, is_running):
    """Ctrl-C and a request to end go past the warden; the server itself heeds them as any program."""
    server = launched()
    server.port()
    first = server.pid
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(warden_of(server), number)

    assert len({os.getsid(pid) for pid in (os.getpid(), warden_of(server), first)}) == 3
    assert not server.revive()
    assert server.pid == first
    os.kill(first, signal.SIGINT)
    assert server.revive()
    assert server.deaths == [-signal.SIGINT]


def test_a_warden_that_is_killed_takes_the_server_along(launched, told, are_gone_soon):
    """All but what left the group; nobody saw the exit status."""
    server = launched(FAMILY.replace("leave_the_group()", ""))
    server.port()
    pids = [*told("pid", 2), server.pid]
    os.kill(warden_of(server), signal.SIGKILL)
    assert are_gone_soon([server.pid])

    assert server.revive()

    assert are_gone_soon(pids, 1)
    assert server.deaths == [None]
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(ServerError, match=r"died 2 times \(an unknown exit status, then exit status -9 "):
        server.revive()


def test_a_server_does_not_outlive_run_and_warden(owner, are_gone_soon):
    """Both are killed, so that nobody is left to end it: the kernel does."""
    run = owner("print(server.pid, flush=True); time.sleep(600)", SERVE)
    server = int(run.stdout.readline())
    warden, _ = descendants(run.pid)

    os.kill(run.pid, signal.SIGSTOP)  # it would end the server
    os.kill(warden, signal.SIGKILL)

    assert are_gone_soon([server])


def test_a_warden_that_hangs_does_not_hold_up_the_end(launched, monkeypatch, are_gone_soon):
    """It is killed when it should long have told of the end."""
    monkeypatch.setattr(warded, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(warded, "WARDEN_SECONDS", 0.1)
    server = launched()
    server.port()
    pids = [server.pid, warden_of(server)]
    os.kill(pids[1], signal.SIGSTOP)

    server.stop()

    assert are_gone_soon(pids, 1)


def test_a_warden_whose_owner_is_gone_before_the_order_starts_nothing():
    """Half an order is none."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", warded.warden.__file__], input=b'{"owner": 1', capture_output=True, check=True
    )

    assert done.stdout == done.stderr == b""
