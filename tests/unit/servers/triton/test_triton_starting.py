"""How a Triton server is started and ended, and what is said where there is none."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.exchange import Request
from pytest_llmval.servers.remote.budget import Purse
from pytest_llmval.servers.remote.opening import open_remote
from pytest_llmval.servers.remote.triton.starting import Wheel, _backends, triton_command, triton_environment
from pytest_llmval.settings import ModelSettings

pytestmark = pytest.mark.servers

VERSION = ModelSettings(name="served", server="triton", model="assistant", model_repository="/models")
LISTENING = [
    "--http-address=127.0.0.1", "--http-port={port}",
    "--grpc-address=127.0.0.1", "--grpc-port={grpc_port}",
    "--metrics-address=127.0.0.1", "--metrics-port={metrics_port}",
]  # fmt: skip


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A tritonserver that is found on PATH, and nothing else there."""
    found = tmp_path / "tritonserver"
    found.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return str(found)


def test_the_server_on_path(program):
    """Listens on the loopback interface only; arguments of the user come last, so that they win."""
    found = triton_command(dataclasses.replace(VERSION, args=("--log-verbose=1",)))

    assert list(found) == [program, "--model-repository=/models", *LISTENING, "--log-verbose=1"]
    assert triton_environment(VERSION) == {}


def test_no_server_at_all(monkeypatch):
    """The three ways to have one."""
    monkeypatch.setenv("PATH", "")

    expected = (
        r"^version 'served': there is no tritonserver on PATH; install Triton, give command = \[...\], or name an "
        r"environment with nvidia-pytriton by python = \"…\"$"
    )
    with pytest.raises(ServerError, match=expected):
        triton_command(VERSION)


def test_an_environment_without_triton():
    """The commands that put it there."""
    expected = (
        rf"^version 'served': there is no nvidia-pytriton in the environment of python = '{sys.executable}'; "
        rf"{sys.executable} -m pip install --no-deps nvidia-pytriton && {sys.executable} -m pip install 'numpy<2'$"
    )
    with pytest.raises(ServerError, match=expected):
        triton_command(dataclasses.replace(VERSION, python=sys.executable))


def test_an_interpreter_that_is_none(tmp_path):
    """What it says is shown."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no python here >&2\nexit 3\n")
    broken.chmod(0o755)

    with pytest.raises(ServerError, match=r"^python = '.*' cannot be used: no python here$"):
        triton_command(dataclasses.replace(VERSION, python=str(broken)))


def test_a_python_for_which_there_is_no_stub(tmp_path):
    """The ones for which there is."""
    stubs = tmp_path / "tritonserver" / "python_backend_stubs"
    for version in ("3.12", "3.11"):
        (stubs / version).mkdir(parents=True)

    expected = rf"^nvidia-pytriton in {tmp_path} has no stub for Python 3.99; it has them for 3.11, 3.12$"
    with pytest.raises(ServerError, match=expected):
        _backends(Wheel(tmp_path, "3.99", "", ""))


def test_the_server_of_the_wheel(triton_python):
    """Runs with the environment's libpython and packages, and a folder of its own with backend and stub."""
    version = dataclasses.replace(VERSION, python=triton_python)

    program, backends, *rest = triton_command(version)
    variables = triton_environment(version)

    assert program.endswith("/pytriton/tritonserver/bin/tritonserver")
    folder = Path(backends.removeprefix("--backend-directory=")) / "python"
    assert {each.name for each in folder.iterdir()} >= {"libtriton_python.so", "triton_python_backend_stub"}
    assert folder.parent.stat().st_mode & 0o077 == 0
    assert rest == ["--model-repository=/models", *LISTENING]
    assert variables["PATH"].startswith(str(Path(triton_python).parent))
    assert "nvidia_pytriton.libs" in variables["LD_LIBRARY_PATH"]


def test_a_command_of_the_users_own_gets_no_variables(triton_python):
    """It says itself what it needs."""
    assert triton_environment(dataclasses.replace(VERSION, command=("run", "{port}"), python=triton_python)) == {}


def test_a_run_starts_its_server_restarts_it_and_ends_it(started, tmp_path):
    """On new ports after the restart, also for gRPC; no process is left, and the log stays."""
    arguments = ("--model-control-mode=explicit", "--load-model=ensemble")
    version = dataclasses.replace(started, model="ensemble", protocol="grpc", args=arguments)
    server = open_remote(version, Purse(), tmp_path / "server.log")
    try:
        first = server.answer([Request("hello")])[0]
        before = server.location()
        server.restart()
        again, after = server.answer([Request("hello")])[0], server.location()
        assert server.peak_memory() > 10_000_000
    finally:
        server.close()

    assert (first.error, first.text) == (None, again.text)
    assert before.pid != after.pid
    assert before.url != after.url
    assert "Started HTTPService" in Path(after.log).read_text()
    for pid in (before.pid, after.pid):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_model_that_cannot_be_loaded_ends_the_server(started, tmp_path):
    """The start fails with the end of its log, in which the model's reason stands."""
    arguments = ("--model-control-mode=explicit", "--load-model=broken")
    server = open_remote(dataclasses.replace(started, args=arguments), Purse(), tmp_path / "server.log")

    with pytest.raises(
        ServerError, match=r"ended with exit status 1 before it was healthy(?s:.*)the weights are missing"
    ):
        server.answer([Request("hello")])
    server.close()
