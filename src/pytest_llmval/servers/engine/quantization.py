"""Quantisation at load: what `quantization = "…"` asks of transformers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import transformers

from pytest_llmval.errors import SettingsError
from pytest_llmval.servers.engine.foreign import call_foreign, quiet
from pytest_llmval.settings import QUANTIZATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from pytest_llmval.settings import ModelSettings


def quantized_loading(settings: ModelSettings, dtype: torch.dtype | str, device: torch.device) -> dict[str, Any]:
    """Options of `from_pretrained` that quantise the linear layers but the head; none when nothing is asked.

    Raises:
        SettingsError: If the value is unknown, its library is missing, or the checkpoint is quantised already.
    """
    if settings.quantization is None:
        return {}
    if settings.quantization not in QUANTIZATIONS:
        msg = f"{_place(settings)} is unknown; expected one of {', '.join(map(repr, QUANTIZATIONS))}"
        raise SettingsError(msg)
    _check_libraries(settings, QUANTIZATIONS[settings.quantization])
    checkpoint = _read_config(settings)
    _refuse_quantized(checkpoint, settings)
    config = MAKERS[settings.quantization](checkpoint.dtype if isinstance(dtype, str) else dtype)
    return {"quantization_config": config, "device_map": {"": device}}


def keep_dtype(model: Any) -> Any:
    """The model, whose 4-bit layers compute in their own dtype on every CPU.

    Where a CPU has AVX512-BF16 bitsandbytes would repack their weights at the first call and compute in bfloat16
    whatever was asked, so that answers depended on the machine.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def _place(settings: ModelSettings) -> str:
    return f"model version {settings.name!r}: quantization {settings.quantization!r}"


def _check_libraries(settings: ModelSettings, libraries: tuple[str, ...]) -> None:
    for library in libraries:
        try:
            with quiet():
                importlib.import_module(library)
        except ImportError as error:
            msg = f"{_place(settings)} needs {library}: pip install pytest-llmval[quantized]"
            raise SettingsError(msg) from error


def _read_config(settings: ModelSettings) -> Any:
    failure = f"model version {settings.name!r}: config.json of {settings.model} cannot be read"
    return call_foreign(failure, transformers.AutoConfig.from_pretrained, settings.model, revision=settings.revision)


def _refuse_quantized(checkpoint: Any, settings: ModelSettings) -> None:
    """Otherwise transformers keeps the checkpoint's way and only warns."""
    already = getattr(checkpoint, "quantization_config", None)
    if already is not None:
        method = already.get("quant_method")
        msg = f"{_place(settings)}: {settings.model} is quantised already, by {method!r}; leave quantization away"
        raise SettingsError(msg)


def _int8(_: torch.dtype | None) -> Any:
    """Weights in 8 bits with a scale an output channel; activations stay as they are."""
    quantization: Any = importlib.import_module("torchao.quantization")
    return transformers.TorchAoConfig(quantization.Int8WeightOnlyConfig())


def _nf4(dtype: torch.dtype | None) -> Any:
    """Weights in 4 bits, the quantiles of a normal distribution, with a scale 64 weights; computed in the dtype.

    Source:
        T. Dettmers et al., QLoRA: Efficient Finetuning of Quantized LLMs (2023), section 3.
    """
    make: Any = transformers.BitsAndBytesConfig  # has no annotations
    return make(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)


MAKERS: dict[str, Callable[[torch.dtype | None], Any]] = {"int8": _int8, "nf4": _nf4}
