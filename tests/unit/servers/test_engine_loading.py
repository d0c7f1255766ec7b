"""Loading: settings that cannot be used are explained, weights with holes are refused."""

from __future__ import annotations

import dataclasses
import importlib
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pytest_llmval.errors import ServerError, SettingsError
from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.engine.loading import load_model, load_tokenizer
from pytest_llmval.servers.engine.network import Network
from pytest_llmval.settings import ModelSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model_copy(tiny_model: Any, tmp_path: Path) -> ModelSettings:
    """Settings of a copy of the tiny Llama that a test may damage."""
    source = tiny_model("llama")
    shutil.copytree(source.model, tmp_path / "copy")
    return dataclasses.replace(source, model=str(tmp_path / "copy"))


def test_quiet(tiny_model: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Loading writes nothing and leaves transformers' own settings for output alone."""
    from transformers.utils import logging

    settings = tiny_model("llama")
    capfd.readouterr()  # the first test to use the model sees the bar of transformers' save_pretrained
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()

    load_tokenizer(settings)
    model = load_model(settings)

    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert not model.training


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float32", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16), ("auto", torch.float32)],
)
def test_dtype(tiny_model: Any, dtype: str, expected: torch.dtype) -> None:
    """Weights come in the dtype asked for; `auto` is the checkpoint's."""
    assert load_model(dataclasses.replace(tiny_model("llama"), dtype=dtype)).dtype == expected


def test_threads(tiny_model: Any) -> None:
    """The settings' number of threads is set with the weights."""
    before = torch.get_num_threads()
    try:
        load_model(dataclasses.replace(tiny_model("llama"), threads=2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"dtype": "int3"}, "unknown dtype 'int3'; expected one of 'float32', 'bfloat16', 'float16', 'auto'"),
        ({"device": "abacus"}, "device 'abacus' is unknown to torch; expected 'auto', 'cpu', 'cuda' or 'cuda:0'"),
        ({"device": "cuda:99"}, r"device 'cuda:99': torch \S+ sees \d+ CUDA devices; expected 'auto' or 'cpu'"),
        ({"quantization": "int3"}, "quantization 'int3' is unknown; expected one of 'int8', 'nf4'$"),
        ({"model": "./nowhere"}, r"\./nowhere: no such folder; expected a Hugging Face model folder or a hub id"),
        ({"model": ""}, "no such folder"),
    ],
)
def test_wrong_setting(tiny_model: Any, setting: dict[str, Any], message: str) -> None:
    """A setting that cannot be used names the version, what was given and what would be right."""
    with pytest.raises(SettingsError, match=f"^model version 'llama': .*{message}"):
        load_model(dataclasses.replace(tiny_model("llama"), **setting))


def test_folder_without_config(tmp_path: Path) -> None:
    """A folder that holds no model says what is missing."""
    settings = ModelSettings(name="v2", model=str(tmp_path))

    for load in (load_model, load_tokenizer):
        with pytest.raises(SettingsError, match=r": no config\.json; expected a Hugging Face model folder$"):
            load(settings)


def test_unreadable_weights(model_copy: ModelSettings) -> None:
    """Damaged weights name the folder and the cause, which is kept."""
    (model_copy.folder / "model.safetensors").write_bytes(b"\xff" * 64)

    with pytest.raises(ServerError, match=r"^model version 'llama': weights of .*copy cannot be read: \w+") as caught:
        load_model(model_copy)

    assert caught.value.__cause__ is not None


def test_no_tokenizer(model_copy: ModelSettings) -> None:
    """A damaged tokenizer is named as such."""
    (model_copy.folder / "tokenizer.json").write_text("{")

    with pytest.raises(ServerError, match=r"tokenizer of .*copy cannot be read"):
        load_tokenizer(model_copy)


def test_weights_with_holes(model_copy: ModelSettings) -> None:
    """Weights that the checkpoint lacks are an error: transformers would fill them with random numbers."""
    config = model_copy.folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"num_hidden_layers": 3}))

    with pytest.raises(ServerError, match=r"does not fill the model: 9 weights missing .* first 'model\.layers\.2"):
        load_model(model_copy)


def test_tied_weights_are_no_hole(tiny_model: Any) -> None:
    """Tied embeddings, stored once, are not missing."""
    assert load_model(tiny_model("gpt2")) is not None


@pytest.mark.parametrize("library", ["torch", "transformers"])
def test_missing_extra(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """Without torch or transformers the engine names the extra."""
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "pytest_llmval.servers.engine")

    with pytest.raises(SettingsError, match=rf"needs {library}: pip install pytest-llmval\[transformers\]$"):
        importlib.import_module("pytest_llmval.servers.engine")


def test_model_without_key_value_cache() -> None:
    """A model that keeps no key-value cache is refused by its class name."""
    from transformers import MambaConfig, MambaForCausalLM

    model = MambaForCausalLM(MambaConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, state_size=4))

    with pytest.raises(SettingsError, match=r"^MambaForCausalLM has no key-value cache"):
        Network(model)


def test_nothing_is_loaded_before_need(tmp_path: Path) -> None:
    """Making an engine reads nothing; asking it does."""
    engine = TransformersEngine(ModelSettings(name="v2", model=str(tmp_path)))

    with pytest.raises(SettingsError, match=r"no config\.json"):
        engine.count_tokens("The")
