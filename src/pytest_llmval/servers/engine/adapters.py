"""LoRA adapters: put on a model as they would be deployed, or refused when they do not fit."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import ServerError, SettingsError
from pytest_llmval.servers.engine.foreign import call_foreign

if TYPE_CHECKING:
    from pytest_llmval.settings import ModelSettings

CONFIG = "adapter_config.json"
NAME = "default"


def check_adapter(settings: ModelSettings) -> None:
    """Raise SettingsError when the adapter cannot be used, before any weights are read."""
    if settings.folder is not None and (settings.folder / CONFIG).is_file():
        # transformers puts such an adapter on by itself where peft is installed, and leaves it out where it is not.
        msg = (
            f"model version {settings.name!r}: {settings.model} holds a model and an adapter; "
            "move the adapter to a folder of its own and name it with adapter"
        )
        raise SettingsError(msg)
    if settings.adapter is not None:
        _import_peft(settings)
        _check_folder(settings, Path(settings.adapter))


def put_adapter(model: Any, settings: ModelSettings) -> Any:
    """The model with its adapter: merged into the weights, or beside them where they are quantised.

    Merging into quantised weights would round them once more, which is not what such an adapter was trained on.

    Raises:
        ServerError: If adapter and model do not fit; the text says what does not.
    """
    if settings.adapter is None:
        return model
    failure = f"{_place(settings)} cannot be put on {settings.model}"
    wrapped, report = call_foreign(failure, _wrap, _import_peft(settings), model, settings.adapter)
    _refuse_partial(report, failure)
    if getattr(model, "is_quantized", False):
        return wrapped.get_base_model()
    return call_foreign(failure, wrapped.merge_and_unload, safe_merge=True)


def _place(settings: ModelSettings) -> str:
    return f"model version {settings.name!r}: adapter {settings.adapter!r}"


def _import_peft(settings: ModelSettings) -> Any:
    try:
        return importlib.import_module("peft")
    except ModuleNotFoundError as error:
        msg = f"{_place(settings)} needs peft: pip install pytest-llmval[lora]"
        raise SettingsError(msg) from error


def _check_folder(settings: ModelSettings, folder: Path) -> None:
    expected = "expected a folder that peft's save_pretrained wrote"
    if not folder.is_dir():
        msg = f"{_place(settings)}: no such folder; {expected}"
        raise SettingsError(msg)
    for names in ((CONFIG,), ("adapter_model.safetensors", "adapter_model.bin")):
        if not any((folder / name).is_file() for name in names):
            msg = f"{_place(settings)}: no {names[0]}; {expected}"
            raise SettingsError(msg)


def _wrap(peft: Any, model: Any, folder: str) -> tuple[Any, Any]:
    """The model with the adapter's layers, and which weights were left over on either side."""
    config = peft.PeftConfig.from_pretrained(folder)
    if config.is_prompt_learning:
        msg = f"it is of type {config.peft_type.value!r}, which changes no weights; expected a LoRA adapter"
        raise ValueError(msg)
    config.inference_mode = True
    wrapped = peft.PeftModel(model, config, NAME)
    return wrapped, wrapped.load_adapter(folder, NAME)


def _refuse_partial(report: Any, failure: str) -> None:
    """What finds no place is left out by peft and what is not there starts afresh: the answers would be of neither."""
    for keys, problem in (
        (report.unexpected_keys, "the model has no place for {} of its weights"),
        (report.missing_keys, "it lacks {} weights"),
    ):
        if keys:
            msg = f"{failure}: {problem.format(len(keys))}, first {keys[0]!r}"
            raise ServerError(msg)
