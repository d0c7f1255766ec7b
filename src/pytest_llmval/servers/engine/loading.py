"""Tokenizer and weights, from a folder or the hub, or a sentence that says what is wrong with them."""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from pytest_llmval.errors import ServerError, SettingsError
from pytest_llmval.settings import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llmval.settings import ModelSettings


def load_tokenizer(settings: ModelSettings) -> Any:
    """The model's tokenizer; needs no weights.

    Raises:
        SettingsError: If the folder is missing or holds no model.
        ServerError: If the tokenizer's files cannot be read, or its vocabulary is not there.
    """
    check_source(settings)
    tokenizer = _load("tokenizer", AutoTokenizer.from_pretrained, settings)
    _refuse_empty_tokenizer(tokenizer, settings)
    return tokenizer


def load_model(settings: ModelSettings) -> Any:
    """The causal language model in eval mode, on its device, with its adapter merged in.

    Raises:
        SettingsError: If a setting cannot be used; the text names it and what would be right.
        ServerError: If the weights cannot be read or do not fill the model.
    """
    check_source(settings)
    _refuse_quantization(settings)
    dtype, device = choose_dtype(settings), choose_device(settings)
    if device.type == "cpu":
        torch.set_num_threads(settings.threads)
    model, report = _load(
        "weights", AutoModelForCausalLM.from_pretrained, settings, dtype=dtype, output_loading_info=True
    )
    _refuse_random_weights(settings, report)
    return _with_adapter(model, settings).to(device)


def check_source(settings: ModelSettings) -> None:
    """Raise SettingsError when a local path is no Hugging Face model folder; a hub id passes."""
    where = f"model version {settings.name!r}: {settings.model}"
    if settings.folder is None and _looks_local(settings.model):
        msg = f"{where}: no such folder; expected a Hugging Face model folder or a hub id"
        raise SettingsError(msg)
    if settings.folder is not None and not (settings.folder / "config.json").is_file():
        msg = f"{where}: no config.json; expected a Hugging Face model folder"
        raise SettingsError(msg)


def choose_dtype(settings: ModelSettings) -> torch.dtype | str:
    """The torch dtype of the settings, or `auto` for the checkpoint's own."""
    if settings.dtype not in DTYPES:
        allowed = ", ".join(repr(name) for name in DTYPES)
        msg = f"model version {settings.name!r}: unknown dtype {settings.dtype!r}; expected one of {allowed}"
        raise SettingsError(msg)
    return "auto" if settings.dtype == "auto" else getattr(torch, settings.dtype)


def choose_device(settings: ModelSettings) -> torch.device:
    """The device of the settings; `auto` is CUDA when there is one, else CPU."""
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    where = f"model version {settings.name!r}: device {settings.device!r}"
    try:
        device = torch.device(settings.device)
    except RuntimeError as error:
        msg = f"{where} is unknown to torch; expected 'auto', 'cpu', 'cuda' or 'cuda:0'"
        raise SettingsError(msg) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        seen = f"torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices"
        msg = f"{where}: {seen}; expected 'auto' or 'cpu'"
        raise SettingsError(msg)
    return device


def _looks_local(model: str) -> bool:
    path = Path(model)
    return not model or path.is_absolute() or model.startswith((".", "~")) or len(path.parts) > 2  # noqa: PLR2004 - a hub id is `owner/name`


def _load(what: str, load: Callable[..., Any], settings: ModelSettings, **options: Any) -> Any:
    try:
        with _quiet():
            return load(settings.model, revision=settings.revision, **options)
    except Exception as error:  # transformers, safetensors, torch and the hub each raise their own kinds
        msg = f"model version {settings.name!r}: {what} of {settings.model} cannot be read: {_first_line(error)}"
        raise ServerError(msg) from error


def _first_line(error: Exception) -> str:
    """Kind and first line of an error; all of it, in one line, where the first only announces the rest."""
    text = str(error).strip()
    first = text.partition("\n")[0]
    return f"{type(error).__name__}: {' '.join(text.split()) if first.rstrip().endswith(':') else first}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and warnings of transformers meanwhile; problems are ours to report."""
    output: Any = logging  # its functions have no annotations
    level, bars = output.get_verbosity(), output.is_progress_bar_enabled()
    output.set_verbosity_error()
    output.disable_progress_bar()
    try:
        yield
    finally:
        output.set_verbosity(level)
        if bars:
            output.enable_progress_bar()


def _refuse_quantization(settings: ModelSettings) -> None:
    if settings.quantization:
        msg = (
            f"model version {settings.name!r}: quantization {settings.quantization!r} is not supported yet: "
            "the transformers server applies no quantisation at load; name a checkpoint that is already quantised"
        )
        raise SettingsError(msg)


def _refuse_empty_tokenizer(tokenizer: Any, settings: ModelSettings) -> None:
    """Without its files transformers makes a tokenizer of special tokens alone, to which all text is unknown."""
    tokens = tokenizer.get_vocab()
    if set(tokens.values()) <= set(tokenizer.added_tokens_decoder):
        known = ", ".join(map(repr, sorted(tokens)[:5])) or "nothing"
        msg = (
            f"model version {settings.name!r}: the tokenizer of {settings.model} knows no text, only {known}; is a "
            "vocabulary file missing, such as tokenizer.json?"
        )
        raise ServerError(msg)


def _refuse_random_weights(settings: ModelSettings, report: Any) -> None:
    """A checkpoint with holes would be filled with random numbers, and then tested."""
    missing = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if missing:
        msg = (
            f"model version {settings.name!r}: {settings.model} does not fill the model: "
            f"{len(missing)} weights missing or of another shape, first {missing[0]!r}"
        )
        raise ServerError(msg)


def _with_adapter(model: Any, settings: ModelSettings) -> Any:
    """The model with its LoRA adapter merged into the weights, as it would be deployed."""
    if settings.adapter is None:
        return model
    where = f"model version {settings.name!r}: adapter {settings.adapter!r}"
    try:
        peft = importlib.import_module("peft")
    except ModuleNotFoundError as error:
        msg = f"{where} needs peft: pip install pytest-llmval[lora]"
        raise SettingsError(msg) from error
    try:
        return peft.PeftModel.from_pretrained(model, settings.adapter).merge_and_unload()
    except Exception as error:
        msg = f"{where} cannot be put on {settings.model}: {_first_line(error)}"
        raise ServerError(msg) from error
