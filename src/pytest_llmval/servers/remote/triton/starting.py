"""How a Triton server is started: the one on PATH, or the one inside nvidia-pytriton."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.errors import ServerError

if TYPE_CHECKING:
    from pytest_llmval.settings import ModelSettings

PROGRAM = "tritonserver"
HEALTH = ("/v2/health/ready",)
LISTENING = tuple(
    part
    for name, port in (("http", "{port}"), ("grpc", "{grpc_port}"), ("metrics", "{metrics_port}"))
    for part in (f"--{name}-address=127.0.0.1", f"--{name}-port={port}")
)
LOOK = """
import importlib.util, json, pathlib, sys, sysconfig
found = importlib.util.find_spec("pytriton")
print(json.dumps({
    "package": found and str(pathlib.Path(found.origin).parent), "version": "%d.%d" % sys.version_info[:2],
    "library": sysconfig.get_config_var("LIBDIR"), "programs": str(pathlib.Path(sys.executable).parent),
}))
"""
LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Wheel:
    """The server that the package nvidia-pytriton carries, in an environment with that package."""

    package: Path
    """Folder of the package."""
    version: str
    """Of Python: `3.11`."""
    library: str
    """Folder of libpython: the stub takes the system's where it does not find that of the environment."""
    programs: str
    """Folder of the interpreter: the stub looks for its packages beside the first `python3` on PATH."""

    @property
    def server(self) -> Path:
        """Folder of server, backends and stubs."""
        return self.package / PROGRAM


def triton_command(model: ModelSettings) -> tuple[str, ...]:
    """What starts Triton with a version's model repository, on the loopback interface only.

    Raises:
        ServerError: If there is no server.
    """
    return (*_program(model), f"--model-repository={model.model_repository}", *LISTENING, *model.args)


def _program(model: ModelSettings) -> tuple[str, ...]:
    if model.python is None and (found := shutil.which(PROGRAM, path=dict(model.env).get("PATH"))):
        return (found,)
    wheel = _wheel(model)
    return (str(wheel.server / "bin" / PROGRAM), f"--backend-directory={_backends(wheel)}")


def triton_environment(model: ModelSettings) -> dict[str, str]:
    """Variables that the server inside nvidia-pytriton needs; none for another."""
    if model.command or model.python is None:
        return {}
    wheel = _wheel(model)
    libraries = [wheel.library, str(wheel.package.parent / "nvidia_pytriton.libs"), os.environ.get("LD_LIBRARY_PATH")]
    paths = [wheel.programs, os.environ.get("PATH")]
    return {"LD_LIBRARY_PATH": _path(libraries), "PATH": _path(paths)}


def _path(folders: list[str | None]) -> str:
    return os.pathsep.join(folder for folder in folders if folder)


def _wheel(model: ModelSettings) -> Wheel:
    if model.python is None:
        msg = (
            f"version {model.name!r}: there is no {PROGRAM} on PATH; install Triton, give command = [...], or name an "
            'environment with nvidia-pytriton by python = "…"'
        )
        raise ServerError(msg)
    found = _looked(model.python)
    if found is None:
        msg = (
            f"version {model.name!r}: there is no nvidia-pytriton in the environment of python = {model.python!r}; "
            f"{model.python} -m pip install --no-deps nvidia-pytriton && {model.python} -m pip install 'numpy<2'"
        )
        raise ServerError(msg)
    return found


@functools.cache
def _looked(python: str) -> Wheel | None:
    """What an environment has; None when the package is not there."""
    command = [python, "-c", LOOK]
    said = subprocess.run(command, capture_output=True, text=True, timeout=LOOK_SECONDS, check=False)  # noqa: S603
    if said.returncode != 0:
        msg = f"python = {python!r} cannot be used: {said.stderr.strip()[-300:]}"
        raise ServerError(msg)
    found = json.loads(said.stdout)
    return Wheel(**found | {"package": Path(found["package"])}) if found["package"] else None


@functools.cache
def _backends(wheel: Wheel) -> Path:
    """A folder with the Python backend and, beside it, the stub for the environment's Python; gone when we end.

    Raises:
        ServerError: If the package has no stub for this Python.
    """
    stub = wheel.server / "python_backend_stubs" / wheel.version / "triton_python_backend_stub"
    if not stub.is_file():
        known = ", ".join(sorted(each.name for each in stub.parent.parent.iterdir()))
        msg = f"nvidia-pytriton in {wheel.package} has no stub for Python {wheel.version}; it has them for {known}"
        raise ServerError(msg)
    folder = Path(tempfile.mkdtemp(prefix="llmval-triton-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    backend = folder / "python"
    backend.mkdir()
    for file in (stub, *(wheel.server / "backends" / "python").glob("*.*")):
        (backend / file.name).symlink_to(file)
    return folder
