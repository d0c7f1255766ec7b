"""A real Triton server with the example model and stand-ins for models of other backends, and servers that ask it."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pytest_llmval.settings import ModelSettings

ROOT = Path(__file__).parents[4]
PYTHON = Path(os.environ.get("LLMVAL_TRITON_PYTHON", ROOT / ".venv" / "triton" / "bin" / "python"))
IS_CI = bool(os.environ.get("CI"))  # before a fixture of all tests takes it away
EXAMPLE = ROOT / "example_suites" / "serving" / "triton" / "assistant"
V1 = ROOT / "example_suites" / "models" / "v1"
STAND_INS = Path(__file__).parent / "models"
MISSING = f"no Triton: there is no {PYTHON}; make .venv/triton, or name an interpreter in LLMVAL_TRITON_PYTHON"
LOADED = ("assistant", "whole", "ensemble", "vllm", "captioner", "adder")


@dataclass(frozen=True)
class Triton:
    """The running server."""

    url: str
    grpc_url: str
    repository: Path

    def post(self, path: str) -> int:
        """The status of a request without a body."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        connection.request("POST", path, "{}")
        status = connection.getresponse().status
        connection.close()
        return status


@pytest.fixture(scope="session")
def triton_python() -> str:
    """The interpreter of the environment with Triton, which CI always has."""
    if not PYTHON.exists():
        (pytest.fail if IS_CI else pytest.skip)(MISSING)
    return str(PYTHON)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example model, the same in one piece, and the stand-ins."""
    folder = tmp_path_factory.mktemp("triton") / "repository"
    shutil.copytree(STAND_INS, folder)
    shutil.copytree(EXAMPLE, folder / "assistant")
    whole = shutil.copytree(EXAMPLE, folder / "whole") / "config.pbtxt"
    whole.write_text(whole.read_text().replace("decoupled: true", "decoupled: false"))
    return folder


@pytest.fixture(scope="session")
def started(triton_python: str, repository: Path) -> ModelSettings:
    """The settings of a version that starts this server."""
    wanted = (f"--load-model={name}" for name in LOADED)
    return ModelSettings(
        name="served",
        server="triton",
        model="assistant",
        model_repository=str(repository),
        python=triton_python,
        env=(("MODEL_FOLDER", str(V1)),),
        args=("--model-control-mode=explicit", *wanted),
        start_timeout=240,
    )


@pytest.fixture(scope="session")
def triton(started: ModelSettings, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The server of the session, started as a run starts it; nothing of it is left afterwards."""
    from pytest_llmval.servers.remote.launching import launched

    server = launched(started, tmp_path_factory.mktemp("log") / "server.log")
    url, pid = server.url, server.pid
    yield Triton(url, f"http://127.0.0.1:{server.port('grpc_port')}", repository)
    server.stop()
    assert not alive_below(repository)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def alive_below(folder: Path) -> str:
    """The processes whose command names a folder."""
    return subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False).stdout


@pytest.fixture
def connect(triton: Triton) -> Any:
    """A function that opens a server under test over the running Triton."""
    from pytest_llmval.servers.remote.budget import Purse
    from pytest_llmval.servers.remote.opening import open_remote

    opened = []

    def open_server(model: str = "assistant", protocol: str = "http", **settings: Any) -> Any:
        url = triton.grpc_url if protocol == "grpc" else triton.url
        named = {"name": "served", "server": "triton", "model": model, "protocol": protocol, "url": url}
        opened.append(open_remote(ModelSettings(**named | {"timeout": 20.0} | settings), Purse(), Path("unused.log")))
        return opened[-1]

    yield open_server
    for server in opened:
        server.close()


@pytest.fixture(scope="session")
def engine() -> Any:
    """The engine over the weights that the example model serves."""
    from pytest_llmval.servers.engine import TransformersEngine

    return TransformersEngine(ModelSettings(name="v1", model=str(V1)), batch_size=8)


@pytest.fixture
def without_generate(triton: Triton) -> Any:
    """The URL of a Triton that lacks the generate extension: one that passes on all else."""
    front = ThreadingHTTPServer(("127.0.0.1", 0), type("Front", (Passing,), {"behind": triton.url}))
    Thread(target=front.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{front.server_port}"
    front.shutdown()
    front.server_close()


class Passing(BaseHTTPRequestHandler):
    """Passes requests on, unless they ask the generate extension."""

    protocol_version = "HTTP/1.1"
    behind = ""

    def do_GET(self) -> None:
        """Pass it on."""
        self.do_POST()

    def do_POST(self) -> None:
        """Pass it on."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "/generate" in self.path:
            self.reply(404, b'{"error":"Not Found"}')
            return
        connection = http.client.HTTPConnection(self.behind.removeprefix("http://"), timeout=60)
        connection.request(self.command, self.path, body)
        answer = connection.getresponse()
        self.reply(answer.status, answer.read())
        connection.close()

    def reply(self, status: int, body: bytes) -> None:
        """An answer in one piece."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def v1_folder() -> str:
    """The folder of the model that is served."""
    return str(V1)
