"""Tokenizer and weights, from a folder or the hub, or a sentence that says what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pytest_llmval.errors import ServerError, SettingsError
from pytest_llmval.servers.engine.adapters import check_adapter, put_adapter
from pytest_llmval.servers.engine.foreign import call_foreign
from pytest_llmval.servers.engine.quantization import keep_dtype, quantized_loading
from pytest_llmval.settings import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """The causal language model in eval mode, on its device, quantised and with its adapter as asked.

    Raises:
        SettingsError: If a setting cannot be used; the text names it and what would be right.
        ServerError: If the weights cannot be read or do not fill the model.
    """
    check_source(settings)
    check_adapter(settings)
    dtype, device = choose_dtype(settings), choose_device(settings)
    options = quantized_loading(settings, dtype, device)
    if device.type == "cpu":
        torch.set_num_threads(settings.threads)
    model, report = _load(
        "weights", AutoModelForCausalLM.from_pretrained, settings, dtype=dtype, output_loading_info=True, **options
    )
    _refuse_random_weights(settings, report)
    _refuse_other_dtype(settings, model, dtype)
    return put_adapter(keep_dtype(model), settings).to(device)


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
    failure = f"model version {settings.name!r}: {what} of {settings.model} cannot be read"
    return call_foreign(failure, load, settings.model, revision=settings.revision, **options)


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


def _refuse_other_dtype(settings: ModelSettings, model: Any, dtype: torch.dtype | str) -> None:
    """Some quantised checkpoints keep their own dtype whatever is asked for; the fingerprint would name another."""
    if getattr(model, "is_quantized", False) and dtype not in ("auto", model.dtype):
        own = str(model.dtype).removeprefix("torch.")
        msg = (
            f"model version {settings.name!r}: dtype {settings.dtype!r}, but the quantised {settings.model} comes in "
            f"{own!r}; expected dtype 'auto' or {own!r}"
        )
        raise SettingsError(msg)
