"""Small servers that are really started: a script each, from a few lines of Python."""

import os
import sys
import time
from pathlib import Path

import pytest

from pytest_llmval.records.files import open_log
from pytest_llmval.servers.process.launch import Launch
from pytest_llmval.servers.process.launched import LaunchedServer

PRELUDE = """
import os, signal, socket, subprocess, sys, time

def serve(port, healthy="/health"):
    listener = socket.create_server(("127.0.0.1", int(port)))
    while True:
        connection, _ = listener.accept()
        path = connection.recv(4096).split()[1].decode()
        status = "200 OK" if path == healthy else "404 Not Found"
        connection.sendall(f"HTTP/1.0 {status}\\r\\nContent-Length: 0\\r\\n\\r\\n".encode())
        connection.close()

def leave_the_group():
    # A daemon as of old: its parent ends, it leads a session of its own, and it heeds nobody.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            print("pid", os.getpid(), flush=True)
            time.sleep(600)
        os._exit(0)
    os.wait()

"""
SERVE = "serve(sys.argv[1])"


@pytest.fixture
def launch(tmp_path):
    """A function from the lines of a server to its launch; they find the port in `sys.argv[1]`."""

    def make(lines=SERVE, *arguments, **changes):
        script = tmp_path / "server.py"
        script.write_text(PRELUDE + lines, encoding="utf-8")
        parts = {
            "name": "v1",
            "command": (sys.executable, "-I", "-S", str(script), "{port}", *arguments),
            "folder": tmp_path,
            "health": ("/health",),
            "timeout": 30.0,
            "log": tmp_path / "v1.log",
        }
        return Launch(**parts | changes)

    return make


@pytest.fixture
def launched(launch):
    """A function from the lines of a server to the server, not yet started; all are stopped at the end."""
    made = []

    def make(*lines, **changes):
        made.append(LaunchedServer(launch(*lines, **changes), open_log))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def told(tmp_path):
    """A function from a word to the numbers that lines of the log tell after it, once there are so many."""

    def find(word, count=1):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            log = tmp_path / "v1.log"
            lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
            found = [int(line.split()[1]) for line in lines if line.startswith(f"{word} ") and line.endswith("\n")]
            if len(found) >= count:
                return found
            time.sleep(0.01)
        raise AssertionError("".join(lines))

    return find


def _is_running(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def is_running():
    """Whether there is such a process; one that waits to be buried is none."""
    return _is_running


@pytest.fixture
def are_gone_soon(is_running):
    """Whether all these processes end within seconds."""

    def wait(pids, seconds=10.0):
        assert all(pid != os.getpid() for pid in pids)
        end = time.monotonic() + seconds
        while any(map(is_running, pids)) and time.monotonic() < end:
            time.sleep(0.02)
        return not any(map(is_running, pids))

    return wait
