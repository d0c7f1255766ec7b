"""ModelSettings: one model version as it is described, and whether it can be."""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import SettingsError
from pytest_llmval.settings.tables import check_choice, check_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SERVERS = ("transformers", "openai", "scripted")
DTYPES = ("float32", "bfloat16", "float16", "auto")
QUANTIZATIONS = {"int8": ("torchao", "accelerate"), "nf4": ("bitsandbytes", "accelerate")}
"""Quantisations that are applied at load, each with the libraries it needs."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """One entry of `[models]`: how a model version is loaded."""

    name: str
    """Name of the version, as the user calls it."""
    server: str = "transformers"
    model: str = ""
    """Folder or hub id."""
    dtype: str = "float32"
    """`float32`, `bfloat16`, `float16`, or `auto` for the dtype of the checkpoint."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    adapter: str | None = None
    """Folder of a LoRA adapter that is put on the model."""
    quantization: str | None = None
    """Quantisation that is applied at load, `int8` or `nf4`; None for a checkpoint as it is, quantised or not."""
    device: str = "auto"
    """`auto` (CUDA when there is one, else CPU), or a torch device name."""
    threads: int = 1
    """CPU threads of the engine, the same serially and under xdist: threads change the last bits."""
    same_weights_as: str | None = None
    """Version whose weights this one claims to share; turns the layer and logit gates on."""
    answers: str | None = None
    """File of the `scripted` server: JSON Lines of prompt and text."""
    url: str = ""
    """Base URL of the `openai` server, with the version of the interface: `http://127.0.0.1:8000/v1`."""
    api_key_env: str | None = None
    """Environment variable that holds its key; None where none is sent."""
    requests_per_minute: int | None = None
    """Most requests a minute and process; None for no limit."""
    tokens_per_minute: int | None = None
    """Most tokens a minute and process, in and out; None for no limit."""
    concurrency: int = 8
    """Most requests of one process that it has at a time."""
    timeout: float = 120.0
    """Seconds after which one attempt at a request is given up."""
    streams: bool = False
    """Whether answers are streamed, which tells the time of the first token."""

    @property
    def folder(self) -> Path | None:
        """The model's folder, None when it is a hub id."""
        path = Path(self.model)
        return path if self.model and path.is_dir() else None

    @property
    def is_recorded(self) -> bool:
        """Whether there is no model, but a baseline whose answers `llmval bless` recorded; `model` is its folder."""
        return self.server == "recorded"

    @property
    def weights_name(self) -> str:
        """The version whose weights these are."""
        return self.same_weights_as or self.name


def models_from(tables: Mapping[str, Any], path: Path) -> dict[str, ModelSettings]:
    """The model versions of the table `[models]`.

    Raises:
        SettingsError: If one cannot be used as it is written.
    """
    models = {name: _model(name, table, path) for name, table in tables.items()}
    for model in models.values():
        if model.same_weights_as:
            check_choice(model.same_weights_as, models, f"{path.name} [models.{model.name}]: unknown same_weights_as")
    return models


def _model(name: str, table: object, path: Path) -> ModelSettings:
    place = f"{path.name} [models.{name}]"
    if not isinstance(table, dict):
        msg = f'{place}: {table!r}; expected a table with model = "…"'
        raise SettingsError(msg)
    check_keys(table, [each.name for each in dataclasses.fields(ModelSettings) if each.name != "name"], place)
    _check_types(table, place)
    model = ModelSettings(name=name, **table)
    check_choice(model.server, SERVERS, f"{place}: unknown server")
    check_choice(model.dtype, DTYPES, f"{place}: unknown dtype")
    if model.quantization is not None:
        check_choice(model.quantization, QUANTIZATIONS, f"{place}: unknown quantization")
    return _located(model, path.parent.resolve())


def _check_types(table: Mapping[str, Any], place: str) -> None:
    for key, value in table.items():
        what = _expected(key)
        if not CHECKS[what](value):
            msg = f"{place}: {key} = {value!r}; expected {what}"
            raise SettingsError(msg)


def _expected(key: str) -> str:
    if key in ("threads", "concurrency", "requests_per_minute", "tokens_per_minute"):
        return "a whole number of at least 1"
    return {"timeout": "seconds above 0", "streams": "true or false"}.get(key, "text")


CHECKS: dict[str, Callable[[Any], bool]] = {
    "a whole number of at least 1": lambda value: type(value) is int and value >= 1,
    "seconds above 0": lambda value: type(value) in (int, float) and 0 < value < math.inf,
    "true or false": lambda value: isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
}
"""What a value of the file is checked to be."""


def _located(model: ModelSettings, folder: Path) -> ModelSettings:
    """Paths made absolute. A model that is no folder below the file may be a hub id, so it stays as it is."""
    changes = {
        key: str(folder / value)
        for key in (("answers",) if model.server == "openai" else ("model", "adapter", "answers"))
        if (value := getattr(model, key)) and (folder / value).exists()
    }
    return dataclasses.replace(model, **changes)  # type: ignore[arg-type]


def problems_of(model: ModelSettings) -> Iterator[str]:
    """Why a version cannot be asked, as far as that is seen without loading it."""
    if model.server == "scripted":
        if not model.answers or not Path(model.answers).is_file():
            yield f"answers = {model.answers!r} is no file; a scripted server reads its answers from JSON Lines"
        return
    if model.server == "openai":
        yield from _problems_of_endpoint(model)
        return
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


def _problems_of_endpoint(model: ModelSettings) -> Iterator[str]:
    if not model.url.startswith(("http://", "https://")):
        yield f"url = {model.url!r}; expected the base URL of the server, such as 'http://127.0.0.1:8000/v1'"
    if not model.model:
        yield 'model = "…" is missing; give the name by which the server knows the model'
    if model.api_key_env and not os.environ.get(model.api_key_env, "").strip():
        yield f"the environment variable {model.api_key_env} is not set; expected the key of {model.url}"


def _is_no_hub_id(name: str) -> bool:
    """A hub id is `name` or `owner/name`; deeper paths and `models/…` beside the file are folders that are missing."""
    return name.count("/") > 1 or name.startswith(("models/", "~"))
