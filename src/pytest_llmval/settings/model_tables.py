"""The tables `[models.NAME]` of a settings file, read and checked."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import SettingsError
from pytest_llmval.settings.model import DTYPES, QUANTIZATIONS, ModelSettings
from pytest_llmval.settings.tables import check_choice, check_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_ALL = {"server", "model", "same_weights_as", "input_price", "output_price"}
_REMOTE = {
    "url", "api_key_env", "requests_per_minute", "tokens_per_minute", "concurrency", "timeout", "attempts",
    "streams", "reference",
}  # fmt: skip
_STARTED = {"command", "env", "health", "start_timeout"}
_OF_STARTING = _STARTED - {"command"} | {"python", "args", "model_repository"}
KEYS = {
    "transformers": _ALL | {"dtype", "revision", "adapter", "quantization", "device", "threads"},
    "vllm": _ALL | _REMOTE | _STARTED | {"options", "python", "args", "dtype", "revision", "adapter"},
    "triton": _ALL | _REMOTE | _STARTED | {"python", "args", "revision", "protocol", "model_repository"},
    "openai": _ALL | _REMOTE | _STARTED | {"options"},
    "litellm": _ALL | _REMOTE | {"options"},
    "replay": _ALL | {"answers"},
    "scripted": _ALL | {"answers"},
}
"""What can be said of a version, by its server."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PATHS = ("model", "adapter", "answers", "reference", "model_repository", "python")
NAMED_BY_THEIR_SERVER = ("openai", "triton", "litellm")
"""Servers whose `model` is a name of theirs and never a folder."""


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
    check_keys(table, set().union(*KEYS.values()), place)
    _check_types(table, place)
    if not VARIABLE.fullmatch(table.get("api_key_env", "KEY")):
        msg = f"{place}: api_key_env is no name of an environment variable; a key itself belongs into the environment"
        raise SettingsError(msg)
    server = table.get("server", "transformers")
    check_choice(server, KEYS, f"{place}: unknown server")
    _check_fitting(table, server, place)
    model = ModelSettings.made_of({"name": name, **table})
    check_choice(model.dtype, DTYPES, f"{place}: unknown dtype")
    check_choice(model.protocol, ("http", "grpc"), f"{place}: unknown protocol")
    if model.quantization is not None:
        check_choice(model.quantization, QUANTIZATIONS, f"{place}: unknown quantization")
    return _located(model, path.parent.resolve())


def _check_fitting(table: Mapping[str, Any], server: str, place: str) -> None:
    """Refuse keys that another server has: they would do nothing."""
    for key in _OF_STARTING & set(table) if table.get("url") else ():
        msg = f"{place}: {key} does nothing with a url: that server runs already"
        raise SettingsError(msg)
    for key in table:
        if key not in KEYS[server]:
            owners = ", ".join(f'"{name}"' for name, keys in KEYS.items() if key in keys)
            msg = f'{place}: {key} does nothing with server = "{server}"; it belongs to {owners}'
            raise SettingsError(msg)


def _check_types(table: Mapping[str, Any], place: str) -> None:
    for key, value in table.items():
        what = EXPECTED.get(key, "text")
        if not CHECKS[what](value):
            msg = f"{place}: {key} = {value!r}; expected {what}"
            raise SettingsError(msg)


WHOLE, SECONDS, DOLLARS = "a whole number of at least 1", "seconds above 0", "US dollars a million tokens, 0 or more"
LIST, TABLE, SWITCH = "a list of texts", "a table of texts", "true or false"
OPTIONS = "a table of texts, numbers and switches"
EXPECTED = {
    "threads": WHOLE,
    "concurrency": WHOLE,
    "attempts": WHOLE,
    "requests_per_minute": WHOLE,
    "tokens_per_minute": WHOLE,
    "timeout": SECONDS,
    "start_timeout": SECONDS,
    "streams": SWITCH,
    "input_price": DOLLARS,
    "output_price": DOLLARS,
    "command": LIST,
    "args": LIST,
    "env": TABLE,
    "options": OPTIONS,
}
"""What is not text."""


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


CHECKS: dict[str, Callable[[Any], bool]] = {
    WHOLE: lambda value: type(value) is int and value >= 1,
    SECONDS: lambda value: type(value) in (int, float) and 0 < value < math.inf,
    DOLLARS: lambda value: type(value) in (int, float) and 0 <= value < math.inf,
    SWITCH: lambda value: isinstance(value, bool),
    LIST: lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    TABLE: lambda value: isinstance(value, dict) and all(isinstance(each, str) for each in value.values()),
    OPTIONS: lambda value: (
        isinstance(value, dict) and all(isinstance(each, str | int | float) for each in value.values())
    ),
    "text": lambda value: isinstance(value, str),
}
"""What a value of the file is checked to be."""


def _located(model: ModelSettings, folder: Path) -> ModelSettings:
    """Paths made absolute. A model that is no folder below the file may be a hub id, so it stays as it is."""
    is_a_name = model.server in NAMED_BY_THEIR_SERVER or bool(model.url)
    changes = {
        key: str(folder / value)
        for key in PATHS
        if (value := getattr(model, key)) and (folder / value).exists() and not (key == "model" and is_a_name)
    }
    home = str(folder) if model.is_started else ""
    return dataclasses.replace(model, home=home, **changes)  # type: ignore[arg-type]
