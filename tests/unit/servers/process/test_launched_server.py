"""A server of the run's own is started when it is needed, watched, and started once more after a crash."""

import os
import re
import signal
import socket
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from pytest_llmval.errors import ServerError, StoreError
from pytest_llmval.servers.process import health, running
from pytest_llmval.servers.process.launched import LaunchedServer
from pytest_llmval.servers.process.log import tail

pytestmark = pytest.mark.servers

SLEEP = "print('loading', flush=True); time.sleep(600)"


def die(server):
    """Kill the process of a server, as the kernel does when memory is short."""
    os.kill(server.pid, signal.SIGKILL)


def starts(server):
    """Process ids of all starts, as the log has them."""
    return [
        int(pid) for pid in re.findall(r"^server \d+: process (\d+): ", server.log.read_text("utf-8"), re.MULTILINE)
    ]


def test_nothing_is_started_before_it_is_asked_for(launched):
    """A run that only replays has no server."""
    server = launched()

    assert server.pid is server.peak_memory() is None
    assert not server.log.exists()


def test_a_server_that_takes_its_time_is_waited_for(launched, monkeypatch):
    """Its address answers at once; no proxy of the environment is asked."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = launched("time.sleep(0.3); serve(sys.argv[1])")

    url = server.url

    monkeypatch.delenv("http_proxy")
    assert url == f"http://127.0.0.1:{server.port()}"
    with urllib.request.urlopen(f"{url}/health") as reply:  # noqa: S310 - it is ours
        assert reply.status == 200
    assert starts(server) == [server.pid]


def test_the_second_health_path_is_enough(launched):
    """Servers differ in what they offer; the first path is unknown to this one."""
    server = launched("serve(sys.argv[1], '/v1/models')", health=("/health", "/v1/models"))

    assert server.port() > 0


def test_all_who_ask_meanwhile_get_the_same_server(launched):
    """Whoever comes while it starts waits for it."""
    server, urls = launched("time.sleep(0.1); serve(sys.argv[1])"), []
    askers = [threading.Thread(target=lambda: urls.append(server.url)) for _ in range(6)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()

    assert urls == [server.url] * 6
    assert len(starts(server)) == 1


def test_two_servers_have_their_own_ports(launched, tmp_path):
    """Of every kind, told in the command and in the environment."""
    lines = "print('ports', *sys.argv[1:], os.environ['METRICS'], os.environ['HOME'], flush=True); serve(sys.argv[1])"
    servers = [
        launched(lines, "{grpc_port}", env=(("METRICS", "{metrics_port}"),), log=tmp_path / f"{name}.log")
        for name in ("v1", "v2")
    ]

    ports = [[server.port(name) for name in ("port", "grpc_port", "metrics_port")] for server in servers]

    assert len(set(ports[0] + ports[1])) == 6
    for server, own in zip(servers, ports, strict=True):
        words = " ".join(map(str, own))
        assert f"ports {words} {os.environ['HOME']}\n" in server.log.read_text("utf-8")


def test_a_port_the_command_does_not_have_is_refused(launched):
    """Before anything is started."""
    server = launched(command=("serve", "{port}"))

    with pytest.raises(ServerError) as raised:
        server.port("grpc_port")

    assert str(raised.value) == (
        "model version 'v1': command ['serve', '{port}'] has no '{grpc_port}'; write it where that port belongs"
    )
    assert not server.log.exists()


def test_a_server_that_is_never_healthy_is_given_up(launched, is_running):
    """It is ended, and asking again tells the same at once."""
    server = launched("print('no such path', flush=True); serve(sys.argv[1], '/')", timeout=0.6)

    with pytest.raises(ServerError) as first:
        server.port()
    began = time.monotonic()
    with pytest.raises(ServerError) as second:
        server.revive()
    with pytest.raises(ServerError):
        server.restart()

    assert time.monotonic() - began < 0.3
    assert str(first.value) == str(second.value)
    assert re.fullmatch(
        r"the server of model version 'v1' was not healthy after 0\.6 s and was ended: no GET of /health at "
        r"http://127\.0\.0\.1:(\d+) gave 200; a longer start_timeout or another health path may help\n"
        r"  command: .*server\.py \1\n"
        r"  the end of its log .*v1\.log:\n"
        r"    server 1: process \d+: .*server\.py \1\n"
        r"    no such path",
        str(first.value),
    )
    assert server.pid is None
    assert not any(map(is_running, starts(server)))
    assert not server.deaths


def test_what_is_no_http_is_no_health(launched):
    """Something else may speak on the port before the server does."""
    lines = (
        "for words in (b'hello\\n', b''):\n"
        "    with socket.create_server(('127.0.0.1', int(sys.argv[1]))) as listener, listener.accept()[0] as guest:\n"
        "        guest.recv(4096); guest.sendall(words)\n"
    )

    assert launched(lines + "serve(sys.argv[1])").port() > 0


def test_a_server_that_accepts_and_says_nothing_is_given_up(launched, monkeypatch):
    """Also when it holds every connection open."""
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.1)
    server = launched("listener = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)", timeout=0.5)
    began = time.monotonic()

    with pytest.raises(ServerError, match=r"not healthy after 0\.5 s"):
        server.port()

    assert time.monotonic() - began < 3


def test_a_server_that_ends_before_it_is_healthy_is_noticed_at_once(launched):
    """With its exit status and the last 15 lines of its log."""
    server = launched("print(*range(20), sep='\\n'); sys.exit('no such model')")
    began = time.monotonic()

    with pytest.raises(ServerError) as raised:
        server.port()
    with pytest.raises(ServerError, match="ended with exit status 1 before"):
        server.port()

    assert time.monotonic() - began < 5  # of the 30 s it is given
    headline, command, log, *lines = str(raised.value).splitlines()
    assert headline == "the server of model version 'v1' ended with exit status 1 before it was healthy"
    assert re.fullmatch(r"  command: .*server\.py \d+", command)
    assert log == f"  the end of its log {server.log}:"
    assert lines == [f"    {words}" for words in [*range(6, 20), "no such model"]]
    assert len(starts(server)) == 1


def test_a_server_that_goes_to_the_background_is_told_to_stay(launched, told, are_gone_soon):
    """Its child would be out of reach; it is gone too."""
    server = launched("leave_the_group()")

    with pytest.raises(ServerError, match=r"ended with exit status 0 \(a server has to stay in the foreground\) bef"):
        server.port()

    assert are_gone_soon(told("pid"), 0)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"command": ("no-such-program", "{port}")}, "no-such-program"),
        ({"folder": Path("/no-such-folder")}, "/no-such-folder"),
    ],
)
def test_a_program_that_is_not_there_is_named(launched, changes, missing):
    """So is a folder."""
    with pytest.raises(ServerError) as raised:
        launched(**changes).port()

    assert f"model version 'v1' cannot be started: [Errno 2] No such file or directory: '{missing}'\n" in str(
        raised.value
    )


def test_a_warden_that_cannot_be_started_is_a_server_error(launched, monkeypatch):
    """As when there are too many processes."""
    monkeypatch.setattr("pytest_llmval.servers.process.warded.COMMAND", ("no-such-python",))

    with pytest.raises(ServerError, match=r"'v1' cannot be started: .*no-such-python'\n.*\n  .*v1\.log: nothing$"):
        launched().port()


def test_a_crash_is_survived_once(launched):
    """On another port; a second crash is the last, whoever asks and however often."""
    server = launched("print('up', flush=True); serve(sys.argv[1])")
    first = server.url
    die(server)
    assert server.revive()
    second = server.url
    assert second != first
    die(server)

    for ask in (server.revive, server.port, server.restart):
        with pytest.raises(ServerError) as raised:
            ask()
        assert re.search(
            r"'v1' died 2 times \(exit status -9 \(killed, perhaps for want of memory\), then exit status -9 \(.*\)\) "
            r"and was given up\n  command: .*\n  the end of its log .*:\n"
            r"    server 1: process .*\n    up\n    server 2: process .*\n    up$",
            str(raised.value),
        )
    assert server.deaths == [-9, -9]
    assert server.pid is None


def test_a_server_that_runs_is_not_revived(launched):
    """Who lost an address that is no longer the server's is told that it has moved."""
    server = launched()
    assert server.revive()  # it was never started
    url, pid = server.url, server.pid

    assert not server.revive()
    assert not server.revive(url)
    assert server.revive("http://127.0.0.1:9")
    assert server.pid == pid
    assert not server.deaths


def test_a_server_that_is_too_busy_to_answer_is_left_alone(launched, monkeypatch):
    """It may just have much to do."""
    server = launched()
    server.port()
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(running, "DYING_SECONDS", 0.1)
    os.kill(server.pid, signal.SIGSTOP)

    assert not server.revive()

    os.kill(server.pid, signal.SIGCONT)
    assert not server.deaths


def test_a_dead_server_is_replaced_by_whoever_asks_first(launched, are_gone_soon):
    """Asking for the address is as good as reviving."""
    server = launched()
    first, pid = server.port(), server.pid
    die(server)
    while server.pid == pid:
        time.sleep(0.01)

    assert server.port() != first
    assert server.deaths == [-9]


def test_a_restart_on_purpose_is_no_crash(launched):
    """Not even the second; the crash afterwards is survived."""
    server = launched()
    addresses, pids = {server.url}, {server.pid}
    for _ in range(2):
        server.restart()
        addresses.add(server.url)
        pids.add(server.pid)
    die(server)
    assert server.revive()

    assert len(addresses) == len(pids) == 3
    assert server.deaths == [-9]


def test_the_log_has_every_start(launched, told):
    """What the server says follows the line of its start, on either stream; nothing is lost by a restart."""
    server = launched("print('port', sys.argv[1], flush=True); print('warned', file=sys.stderr); serve(sys.argv[1])")
    ports, pids = [], []
    for _ in range(2):
        server.restart()
        ports.append(server.port())
        pids.append(server.pid)

    assert told("port", 2) == ports
    lines = [re.sub(r": \S*python\S* -I -S .*server.py ", ": ", line) for line in server.log.read_text().splitlines()]
    assert lines == [
        line
        for number, (port, pid) in enumerate(zip(ports, pids, strict=True), 1)
        for line in (f"server {number}: process {pid}: {port}", f"port {port}", "warned")
    ]
    assert server.log.stat().st_mode & 0o077 == 0


def test_the_end_of_a_long_log_is_read(tmp_path):
    """Whatever bytes there are; a log that is not there has none."""
    log = tmp_path / "v1.log"
    log.write_bytes(b"x" * 1_000_000 + b"\n\xff last\n")

    first, last = tail(log).splitlines()

    assert len(first) < 70_000
    assert last == "    \N{REPLACEMENT CHARACTER} last"
    assert tail(tmp_path / "none.log") == ""


def hold_a_port(monkeypatch, times):
    """Somebody listens, but never answers, at the port that is chosen first."""
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.1)
    listener = socket.create_server(("127.0.0.1", 0))
    chosen, free_ports = [{"port": listener.getsockname()[1]}] * times, running.free_ports
    monkeypatch.setattr(running, "free_ports", lambda names: chosen.pop() if chosen else free_ports(names))
    return listener


def test_a_port_that_was_taken_meanwhile_is_replaced(launched, monkeypatch):
    """Nobody else is to blame, so that it counts as nothing."""
    server = launched()
    with hold_a_port(monkeypatch, times=1) as listener:
        assert server.port() != listener.getsockname()[1]

    assert len(starts(server)) == 2
    assert not server.deaths


def test_ports_that_are_always_taken_are_told(launched, monkeypatch):
    """After the second there is something else wrong."""
    server = launched()
    with hold_a_port(monkeypatch, times=2), pytest.raises(ServerError, match=r"(?s)ended with.*Address already in u"):
        server.port()

    assert len(starts(server)) == 2


def test_only_what_the_last_start_said_makes_a_port_taken(launched, tmp_path):
    """The log keeps what was said before."""
    (tmp_path / "first").touch()
    server = launched(
        "if not os.path.exists('first'): sys.exit(3)\n"
        "os.remove('first'); print('Cache already in use', flush=True); serve(sys.argv[1])"
    )
    server.port()
    die(server)

    with pytest.raises(ServerError, match="ended with exit status 3 before it was healthy"):
        server.revive()

    assert len(starts(server)) == 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_peak_memory_is_that_of_all_processes(launched):
    """Of a server and its child, 50 MB each; known still after the memory was given back."""
    lines = (
        "parent = os.fork()\n"
        "block = b'x' * 50_000_000\n"  # written, hence resident
        "del block\n"
        "serve(sys.argv[1]) if parent else time.sleep(600)"
    )
    server = launched(lines)
    server.port()

    deadline = time.monotonic() + 10
    while server.peak_memory() < 100_000_000 and time.monotonic() < deadline:
        time.sleep(0.01)

    assert 100_000_000 <= server.peak_memory() < 160_000_000  # a bare interpreter takes some 10 MB


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_peak_memory_is_that_of_the_whole_run(launched, tmp_path):
    """Of the start that took most, and known after the end without having been asked before."""
    (tmp_path / "first").touch()
    server = launched(
        "if os.path.exists('first'):\n    os.remove('first'); block = b'x' * 50_000_000\nserve(sys.argv[1])"
    )
    server.port()
    server.restart()
    server.stop()

    assert 50_000_000 <= server.peak_memory() < 80_000_000


def test_a_log_that_cannot_be_opened_is_the_stores_error(launched, tmp_path):
    """As any other write of the run."""
    (tmp_path / "run").write_text("", encoding="utf-8")

    with pytest.raises(StoreError, match=r"cannot write .*v1\.log: "):
        launched(log=tmp_path / "run" / "v1.log").port()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_without_room_costs_the_log(launch):
    """The server answers all the same."""
    server = LaunchedServer(launch(log=Path("/dev/full")), lambda path: path.open("a"))

    assert server.port() > 0
    server.stop()


def test_windows_is_told_the_other_way(launched, monkeypatch):
    """Neither sessions nor process groups are there."""
    monkeypatch.setattr("sys.platform", "win32")

    with pytest.raises(ServerError) as raised:
        launched().port()

    assert str(raised.value) == (
        "model version 'v1': servers are started on Linux and macOS only; start it yourself and say where it is: "
        'url = "http://..."'
    )
