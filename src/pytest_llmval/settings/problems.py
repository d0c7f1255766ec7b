"""Why a model version cannot be asked, as far as that is seen without asking or loading it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.settings.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.settings.model import ModelSettings


def problems_of(model: ModelSettings) -> Iterator[str]:
    """What is wrong with a version, each with what would be right."""
    if model.server in ("scripted", "replay"):
        yield from _problems_of_answers(model)
        return
    if model.is_asked:
        yield from _problems_of_asking(model)
    if model.is_started:
        yield from _problems_of_starting(model)
    if model.is_engine or (model.server == "vllm" and model.is_started):
        yield from _problems_of_folder(model)


def _problems_of_answers(model: ModelSettings) -> Iterator[str]:
    if not model.answers or not Path(model.answers).is_file():
        yield f"answers = {model.answers!r} is no file; a {model.server} server reads its answers from JSON Lines"


def _problems_of_asking(model: ModelSettings) -> Iterator[str]:
    if (model.url or not _can_start(model)) and not model.url.startswith(("http://", "https://")):
        yield from _problem_of_url(model)
    if model.url and model.command:
        yield "both url and command are given; expected the one of a server that runs, or the other to start one"
    if not model.model and not _is_alone(model) and (model.url or model.server != "vllm"):
        yield 'model = "…" is missing; give the name by which the server knows the model'
    whose = shown_url(model.url) or model.model
    if model.api_key_env and not os.environ.get(model.api_key_env, "").strip():
        yield f"the environment variable {model.api_key_env} is not set; expected the key of {whose}"
    if (model.input_price is None) != (model.output_price is None):
        yield "one of input_price and output_price is missing; expected both, in US dollars a million tokens"
    if model.reference and not (Path(model.reference) / "config.json").is_file():
        yield f"reference = {model.reference!r} is no Hugging Face model: it has no config.json"


def _can_start(model: ModelSettings) -> bool:
    """Whether a server without a URL may be meant."""
    return model.server in ("vllm", "litellm") or bool(model.command or model.model_repository)


def _is_alone(model: ModelSettings) -> bool:
    """Whether the server may be asked which model it serves."""
    return model.server == "openai"


def _problem_of_url(model: ModelSettings) -> Iterator[str]:
    example = "http://127.0.0.1:8000" if model.server == "triton" else "http://127.0.0.1:8000/v1"
    start = {"openai": ", or command = [...] to start one", "triton": ", or model_repository = … to start one"}
    expected = f"expected the base URL of the server, such as {example!r}{start.get(model.server, '')}"
    yield f"url = {shown_url(model.url)!r}; {expected}"


def _problems_of_starting(model: ModelSettings) -> Iterator[str]:
    if model.command and not any("{port}" in part for part in model.command):
        yield f"command = {list(model.command)!r} takes no port; write {{port}} where it goes"
    if model.command and shutil.which(model.command[0], path=_search_path(model)) is None:
        yield f"command: there is no program {model.command[0]!r}"
    if model.python and shutil.which(model.python) is None:
        yield f"python = {model.python!r}: there is no such interpreter"
    if model.model_repository and not Path(model.model_repository).is_dir():
        yield f"model_repository: there is no folder {model.model_repository}"


def search_path(model: ModelSettings) -> str:
    """Where programs of a command are looked for: beside this interpreter too, for environments that are not active."""
    beside = str(Path(sys.executable).parent)
    return dict(model.env).get("PATH") or os.pathsep.join([beside, os.environ.get("PATH", "")])


def _search_path(model: ModelSettings) -> str:
    return os.pathsep.join([model.home, search_path(model)])


def _problems_of_folder(model: ModelSettings) -> Iterator[str]:
    if not model.model:
        yield 'model = "…" is missing; give a folder or a hub id'
    elif model.folder is None and (
        Path(model.model).is_absolute() or model.model.startswith(".") or _is_no_hub_id(model.model)
    ):
        yield f"there is no folder {model.model}"
    elif model.folder is not None and not (model.folder / "config.json").is_file():
        yield f"{model.folder} is no Hugging Face model: it has no config.json"
    if model.adapter and not Path(model.adapter).is_dir():
        yield f"there is no adapter folder {model.adapter}"


def _is_no_hub_id(name: str) -> bool:
    """A hub id is `name` or `owner/name`; deeper paths and `models/…` beside the file are folders that are missing."""
    return name.count("/") > 1 or name.startswith(("models/", "~"))
