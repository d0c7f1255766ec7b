"""LoRA adapters: the model answers as the merged weights do, and an adapter that does not fit is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pytest_llmval.errors import ServerError, SettingsError
from pytest_llmval.records.fingerprint import fingerprint
from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.engine.foreign import quiet
from pytest_llmval.servers.engine.loading import load_model
from pytest_llmval.settings import ModelSettings, read_config, resolve_version

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = "The library opens at"
RANK, ALPHA = 4, 12


def save_adapter(folder: Path, model: Any, seed: int = 5, **changes: Any) -> Any:
    """The adapted model; its adapter, with random weights, is saved in the folder."""
    import peft

    options: dict[str, Any] = {"r": RANK, "lora_alpha": ALPHA, "target_modules": ["q_proj", "v_proj"]}
    with quiet():
        adapted = peft.get_peft_model(model, peft.LoraConfig(**options | {"task_type": "CAUSAL_LM"} | changes)).eval()
        torch.manual_seed(seed)
        for parameter in adapted.parameters():
            if parameter.requires_grad:  # B starts at zero, and such an adapter changes nothing
                torch.nn.init.normal_(parameter, std=0.1)
        adapted.save_pretrained(folder)
    return adapted


@pytest.fixture
def base(tiny_model: Any) -> ModelSettings:
    """Settings of the model without an adapter."""
    return tiny_model("llama")


@pytest.fixture
def adapter(base: ModelSettings, tmp_path: Path) -> Path:
    """A folder with an adapter of query and value projections."""
    save_adapter(tmp_path / "lora", load_model(base))
    return tmp_path / "lora"


def merged_by_hand(base: ModelSettings, adapter: Path) -> Any:
    """The model whose weights are W + B A alpha / r (Hu et al., LoRA, 2021, section 4.1)."""
    model = load_model(base)
    delta = load_file(adapter / "adapter_model.safetensors")
    for layer in range(2):
        for name in ("q_proj", "v_proj"):
            place = f"model.layers.{layer}.self_attn.{name}"
            down, up = (delta[f"base_model.model.{place}.lora_{each}.weight"] for each in "AB")
            model.get_submodule(place).weight.data += up @ down * ALPHA / RANK
    return model


def logits_of(model: Any, ids: list[int]) -> torch.Tensor:
    """Logits `[tokens, vocabulary]` by one plain forward pass."""
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0]


def test_adapter_in_llmval_toml(base: ModelSettings, adapter: Path, tmp_path: Path) -> None:
    """A version named by a relative adapter folder answers as the weights merged by hand."""
    (tmp_path / "llmval.toml").write_text(f'[models.v2-lora]\nmodel = "{base.model}"\nadapter = "lora"\n')

    settings = resolve_version("v2-lora", read_config(tmp_path / "llmval.toml"), tmp_path, "--llmval-model")
    engine = TransformersEngine(settings)
    found = torch.from_numpy(engine.logits(PROMPT))

    ids = engine.tokenizer(PROMPT)["input_ids"]
    assert settings.adapter == str(adapter)
    assert (found - logits_of(merged_by_hand(base, adapter), ids)).abs().max() < 1e-5
    assert (found - logits_of(load_model(base), ids)).abs().max() > 0.1


def test_nothing_of_the_adapter_is_left_beside_the_weights(base: ModelSettings, adapter: Path) -> None:
    """The merged model is of the same layers as the model without an adapter, so white-box gates see the same."""
    plain, adapted = load_model(base), load_model(dataclasses.replace(base, adapter=str(adapter)))

    assert [type(each) for each in adapted.modules()] == [type(each) for each in plain.modules()]
    assert not adapted.training


def test_quiet(base: ModelSettings, adapter: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Putting an adapter on writes nothing."""
    capfd.readouterr()

    load_model(dataclasses.replace(base, adapter=str(adapter)))

    assert capfd.readouterr() == ("", "")


def test_fingerprints(base: ModelSettings, adapter: Path, tmp_path: Path) -> None:
    """No adapter, this adapter, other weights of it and another scale of it are four models; the library counts."""
    save_adapter(tmp_path / "other", load_model(base), seed=6)
    save_adapter(tmp_path / "scaled", load_model(base), lora_alpha=1)
    versions = [dataclasses.replace(base, adapter=str(tmp_path / name)) for name in ("lora", "other", "scaled")]

    found = [fingerprint(each, None) for each in (base, *versions)]

    assert len({each.digest for each in found}) == 4
    assert ["peft" in each.parts["libraries"] for each in found] == [False, True, True, True]


def test_fingerprint_of_a_hub_model(adapter: Path) -> None:
    """The bytes of the adapter count also where those of the model are not known."""
    settings = ModelSettings(name="v2", model="owner/name", device="cpu", adapter=str(adapter))
    plain, before = fingerprint(dataclasses.replace(settings, adapter=None), None), fingerprint(settings, None)

    with (adapter / "adapter_model.safetensors").open("ab") as stream:
        stream.write(b" ")

    assert len({plain.digest, before.digest, fingerprint(settings, None).digest}) == 3
    assert not before.is_local


def test_further_modules(base: ModelSettings, tmp_path: Path) -> None:
    """An adapter that brings a whole head of its own answers with it."""
    trained = save_adapter(tmp_path / "lora", load_model(base), modules_to_save=["lm_head"])

    model = load_model(dataclasses.replace(base, adapter=str(tmp_path / "lora")))

    ids = list(range(2, 40))
    assert torch.equal(model.lm_head.weight, trained.base_model.model.lm_head.modules_to_save["default"].weight)
    # The trained model adds B A x where ours holds W + B A, which rounds otherwise.
    assert (logits_of(model, ids) - logits_of(trained, ids)).abs().max() < 1e-4


def test_further_vocabulary(base: ModelSettings, tmp_path: Path) -> None:
    """An adapter whose vocabulary is larger than the model's is refused: the tokenizer does not know its tokens."""
    model = load_model(base)
    with quiet():
        model.resize_token_embeddings(404)
    save_adapter(tmp_path / "lora", model)

    with pytest.raises(
        ServerError, match=r"cannot be put on .*size mismatch for .*embed_tokens.*\[404, 64\].*\[400, 64\]"
    ):
        load_model(dataclasses.replace(base, adapter=str(tmp_path / "lora")))


def test_another_width(tiny_model: Any, base: ModelSettings, tmp_path: Path) -> None:
    """An adapter of a model of another width names a weight with both shapes, in one line."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(base.model)
    config.hidden_size = 32
    save_adapter(tmp_path / "lora", AutoModelForCausalLM.from_config(config))

    with pytest.raises(ServerError, match=r"size mismatch for \S+q_proj\.lora_A\.\S+ .*\[4, 32\].*\[4, 64\]") as caught:
        load_model(dataclasses.replace(base, adapter=str(tmp_path / "lora")))

    assert "v_proj" not in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        (
            3,
            r"the model has no place for 4 of its weights, first 'base_model\S+\.layers\.2\.self_attn\.q_proj",
        ),
        (1, r"it lacks 4 weights, first 'base_model\S+\.layers\.1\.self_attn\.q_proj"),
    ],
)
def test_another_depth(base: ModelSettings, tmp_path: Path, layers: int, problem: str) -> None:
    """An adapter of a deeper or flatter model, which peft would put on in part, is refused."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(base.model)
    config.num_hidden_layers = layers
    save_adapter(tmp_path / "lora", AutoModelForCausalLM.from_config(config))

    with pytest.raises(ServerError, match=rf"^model version 'llama': adapter '.*lora' cannot be put on .*: {problem}"):
        load_model(dataclasses.replace(base, adapter=str(tmp_path / "lora")))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"target_modules": ["query_key_value"]}, r"Target modules .*'query_key_value'.* not found in the base model"),
        (
            {"target_modules": ["q_proj"]},
            r"no place for 4 of its weights, first '\S+layers\.0\.self_attn\.v_proj\.lora_A",
        ),
        ({"target_modules": ["q_proj", "v_proj", "o_proj"]}, r"it lacks 4 weights, first '\S+o_proj\.lora_A"),
        ({"r": 8}, r"size mismatch for \S+lora_A\.\S+ .*\[4, 64\].*\[8, 64\]"),
        ({"peft_type": "TELEPATHY"}, "KeyError: 'TELEPATHY'"),
        (
            {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3},
            "it is of type 'PROMPT_TUNING', which changes no weights; expected a LoRA adapter",
        ),
    ],
)
def test_config_that_does_not_fit(base: ModelSettings, adapter: Path, config: dict[str, Any], problem: str) -> None:
    """An adapter whose configuration is of something else says what does not fit."""
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))

    with pytest.raises(ServerError, match=rf"adapter '.*lora' cannot be put on .*llama: .*{problem}"):
        load_model(dataclasses.replace(base, adapter=str(adapter)))


def test_broken_weights(base: ModelSettings, adapter: Path) -> None:
    """An adapter with NaN is refused before it answers anything."""
    weights = load_file(adapter / "adapter_model.safetensors")
    next(iter(weights.values()))[0, 0] = float("nan")
    save_file(weights, adapter / "adapter_model.safetensors")

    with pytest.raises(ServerError, match=r"cannot be put on .*: ValueError: NaNs detected in the merged weights"):
        load_model(dataclasses.replace(base, adapter=str(adapter)))


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        (".", "no such folder"),
        ("adapter_config.json", r"no adapter_config\.json"),
        ("adapter_model.safetensors", r"no adapter_model\.safetensors"),
    ],
)
def test_incomplete_folder(base: ModelSettings, adapter: Path, missing: str, problem: str) -> None:
    """A folder that holds no adapter says what is missing, and no hub is asked."""
    gone = adapter / missing
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()

    expected = (
        rf"^model version 'llama': adapter '.*lora': {problem}; expected a folder that peft's save_pretrained wrote$"
    )
    with pytest.raises(SettingsError, match=expected):
        load_model(dataclasses.replace(base, adapter=str(adapter)))


def test_adapter_beside_the_model(base: ModelSettings, adapter: Path, tmp_path: Path) -> None:
    """A folder of both is refused: transformers would put the adapter on where peft is installed, and only there."""
    both = shutil.copytree(base.model, tmp_path / "both")
    shutil.copytree(adapter, both, dirs_exist_ok=True)

    with pytest.raises(
        SettingsError, match="both holds a model and an adapter; move the adapter to a folder of its own"
    ):
        load_model(dataclasses.replace(base, model=str(both)))


def test_without_peft(base: ModelSettings, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter without peft names the command that installs it."""
    monkeypatch.setitem(sys.modules, "peft", None)

    with pytest.raises(SettingsError, match=r"adapter '.*lora' needs peft: pip install pytest-llmval\[lora\]$"):
        load_model(dataclasses.replace(base, adapter=str(adapter)))
