"""How the servers are started that a run starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.servers.process.launch import Launch
from pytest_llmval.servers.process.launched import LaunchedServer
from pytest_llmval.servers.process.log import open_log
from pytest_llmval.servers.remote.triton.starting import HEALTH as TRITON_HEALTH
from pytest_llmval.servers.remote.triton.starting import triton_command, triton_environment
from pytest_llmval.settings.problems import search_path

if TYPE_CHECKING:
    from pytest_llmval.settings import ModelSettings

VLLM = "vllm.entrypoints.openai.api_server"
VLLM_DEFAULT_RANK = 16
VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes for the highest rank of an adapter."""
HEALTH = ("/health", "/v1/models")
"""Paths of which servers with the OpenAI interface have at least one."""


def launched(model: ModelSettings, log: Path) -> LaunchedServer:
    """The server of a version that is started on first need."""
    is_triton = model.server == "triton"
    health = TRITON_HEALTH if is_triton else HEALTH
    launch = Launch(
        name=model.name,
        command=model.command or (triton_command(model) if is_triton else vllm_command(model)),
        folder=Path(model.home or "."),
        health=(model.health,) if model.health else health,
        timeout=model.start_timeout,
        log=log,
        env=_environment(model),
    )
    return LaunchedServer(launch, open_log)


def vllm_command(model: ModelSettings) -> tuple[str, ...]:
    """What starts vLLM; `vllm serve` fails where the package has another name, as for CPUs."""
    revision = ("--revision", model.revision) if model.revision else ()
    return (
        model.python or sys.executable,
        *("-m", VLLM),
        *("--host", "127.0.0.1", "--port", "{port}"),
        *("--model", model.model, "--served-model-name", model.name),
        *("--dtype", model.dtype),
        *revision,
        *_adapter(model),
        *model.args,
    )


def _adapter(model: ModelSettings) -> tuple[str, ...]:
    if not model.adapter:
        return ()
    modules = ("--enable-lora", "--lora-modules", f"{adapter_name(model)}={model.adapter}")
    rank = _rank(Path(model.adapter))
    wider = [each for each in VLLM_RANKS if each >= rank]
    return modules if rank <= VLLM_DEFAULT_RANK or not wider else (*modules, "--max-lora-rank", str(wider[0]))


def _rank(adapter: Path) -> int:
    """The rank of a LoRA adapter, 0 where its file does not say it; vLLM itself then says what it wants."""
    try:
        return int(json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def adapter_name(model: ModelSettings) -> str:
    """By which name requests reach the model with its adapter."""
    return f"{model.name}+adapter"


def served_name(model: ModelSettings) -> str:
    """By which name requests reach the model of a version."""
    if model.server != "vllm":
        return model.model
    return adapter_name(model) if model.adapter else model.name


def _environment(model: ModelSettings) -> tuple[tuple[str, str], ...]:
    """No telemetry, programs beside this interpreter found; what the user says comes last."""
    ours = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PATH": search_path(model)}
    if model.server == "triton":
        ours |= triton_environment(model)
    return tuple((ours | dict(model.env)).items())
