"""Quantisation at load: the weights are what the library makes of them, and everything computes on with these."""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pytest_llmval.errors import SettingsError
from pytest_llmval.records.fingerprint import fingerprint
from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.engine.foreign import quiet
from pytest_llmval.servers.engine.loading import load_model
from pytest_llmval.servers.engine.quantization import MAKERS
from pytest_llmval.servers.exchange import Decoding, Request
from pytest_llmval.settings import QUANTIZATIONS, ModelSettings, read_config

if TYPE_CHECKING:
    from pathlib import Path

IDS = torch.arange(2, 40)[None]
NOT_QUANTIZED = {"lm_head"}
WIDEST = {"int8": 1 / 127 / 2, "nf4": (1 - 0.6961928) / 2}
"""Furthest that rounding moves a weight, in the largest weight that shares its scale: half the widest step. The steps
of int8 are equal; the outermost one of NF4 lies between -1 and -0.6962 (Dettmers et al., QLoRA, 2023, appendix E)."""


@pytest.fixture(params=sorted(QUANTIZATIONS))
def quantized(tiny_model: Any, request: pytest.FixtureRequest) -> ModelSettings:
    """Settings of the tiny Llama with each quantisation whose library is installed."""
    with quiet():
        pytest.importorskip(QUANTIZATIONS[request.param][0], reason="needs pip install pytest-llmval[quantized]")
    return dataclasses.replace(tiny_model("llama"), quantization=request.param)


def plain(settings: ModelSettings) -> ModelSettings:
    """The same version without quantisation."""
    return dataclasses.replace(settings, quantization=None)


def dequantized(weight: Any) -> torch.Tensor:
    """The weights that the numbers of a library stand for, by that library; for nf4 before anything was computed."""
    if hasattr(weight, "quant_state"):
        functional: Any = importlib.import_module("bitsandbytes.functional")
        return functional.dequantize_4bit(weight.data, weight.quant_state).reshape(weight.quant_state.shape)
    return weight.dequantize()


def float_model(settings: ModelSettings) -> Any:
    """A plain model, of the same dtype, with the weights that the quantised one stands for."""
    model = load_model(plain(settings))
    for name, module in load_model(settings).named_modules():
        if is_quantized(module):
            model.get_submodule(name).weight.data = dequantized(module.weight).to(model.dtype)
    return model


def is_quantized(module: Any) -> bool:
    """Whether a module holds quantised weights."""
    return type(getattr(module, "weight", None)) not in (type(None), torch.nn.Parameter)


def logits_of(model: Any) -> torch.Tensor:
    """Logits of the fixed ids, `[tokens, vocabulary]`."""
    with torch.inference_mode():
        return model(IDS).logits[0]


def sharing_a_scale(weight: torch.Tensor, quantization: str) -> torch.Tensor:
    """The weights in rows of which each has one scale: an output channel of int8, 64 weights of nf4."""
    return weight if quantization == "int8" else weight.reshape(-1, 64)


def test_weights(quantized: ModelSettings) -> None:
    """Every linear layer but the head is rounded, no weight further than half a step of its scale."""
    model, original = load_model(quantized), load_model(plain(quantized))

    linear = [name for name, module in original.named_modules() if isinstance(module, torch.nn.Linear)]
    for name in linear:
        module, exact = model.get_submodule(name), original.get_submodule(name).weight.data
        assert is_quantized(module) == (name not in NOT_QUANTIZED)
        if is_quantized(module):
            moved, whole = (
                sharing_a_scale(each, str(quantized.quantization)).abs()
                for each in (dequantized(module.weight) - exact, exact)
            )
            allowed = 1.02 * WIDEST[str(quantized.quantization)] * whole.amax(-1, keepdim=True)
            assert moved.max() > 0
            assert (moved <= allowed).all()
    assert len(linear) == 2 * 7 + 1


def test_memory(quantized: ModelSettings) -> None:
    """The layers take the bytes of their width: 1 or 1/2 a weight, and 4 for each scale."""
    weight = load_model(quantized).model.layers[0].mlp.gate_proj.weight

    numbers = weight.qdata if quantized.quantization == "int8" else weight.data
    assert numbers.numel() * numbers.element_size() == 64 * 128 * {"int8": 1, "nf4": 0.5}[quantized.quantization]


def test_logits(quantized: ModelSettings) -> None:
    """Logits are those of a float model with the rounded weights, and not those of the exact weights."""
    found = logits_of(load_model(quantized))

    assert found.dtype == torch.float32
    assert (found - logits_of(float_model(quantized))).abs().max() < 1e-4
    assert (found - logits_of(load_model(plain(quantized)))).abs().max() > 0.1


def test_answers(quantized: ModelSettings) -> None:
    """Scores in packed batches and generated tokens are those of the float model with the rounded weights."""
    engine, oracle = TransformersEngine(quantized), float_model(quantized)
    pairs = [("The opening hours", each) for each in (" are nine to five", " of the library", " cost ten cents a day")]

    together = engine.loglikelihood(pairs)
    (response,) = engine.answer([Request("You can return a book", decoding=Decoding(max_tokens=8))])

    assert engine.network.mask_refusal == ""
    for (context, continuation), found in zip(pairs, together, strict=True):
        ids = engine.tokenizer(context + continuation)["input_ids"]
        with torch.inference_mode():
            logprobs = oracle(torch.tensor([ids])).logits[0].log_softmax(-1)
        start = len(ids) - len(found.token_logprobs)
        expected = sum(float(logprobs[at - 1, ids[at]]) for at in range(start, len(ids)))
        assert found.logprob == pytest.approx(expected, abs=1e-4)
    prompt = engine.tokenizer("You can return a book", return_tensors="pt")
    with torch.inference_mode():
        generated = oracle.generate(**prompt, max_new_tokens=8, do_sample=False, pad_token_id=0)
    assert response.token_ids == tuple(generated[0, prompt["input_ids"].shape[1] :].tolist())


@pytest.mark.parametrize(
    ("dtype", "expected"), [("bfloat16", torch.bfloat16), ("float16", torch.float16), ("auto", torch.float32)]
)
def test_dtype(quantized: ModelSettings, dtype: str, expected: torch.dtype) -> None:
    """What is not quantised keeps the dtype asked for, and it is computed in."""
    settings = dataclasses.replace(quantized, dtype=dtype)
    model = load_model(settings)
    found = logits_of(model)

    assert found.dtype == model.dtype == model.lm_head.weight.dtype == expected
    # Whether weights are rounded to half precision before or after they are scaled moves logits by some 1/40.
    assert (found - logits_of(float_model(settings))).float().norm() < 0.05 * found.float().norm()


def test_fingerprint(quantized: ModelSettings) -> None:
    """A quantised load is another model, and its libraries count."""
    found, without = fingerprint(quantized, None), fingerprint(plain(quantized), None)

    assert found.digest != without.digest
    assert found.parts["quantization"] == quantized.quantization
    assert set(found.parts["libraries"]) - set(without.parts["libraries"]) == set(QUANTIZATIONS[quantized.quantization])


@pytest.fixture
def checkpoint(quantized: ModelSettings, make_tokenizer: Any, tmp_path: Path) -> ModelSettings:
    """Settings of a checkpoint that was saved quantised."""
    make_tokenizer(tmp_path / "saved")
    with quiet():
        load_model(quantized).save_pretrained(tmp_path / "saved")
    return ModelSettings(name="saved", model=str(tmp_path / "saved"))


def test_quantized_checkpoint(quantized: ModelSettings, checkpoint: ModelSettings) -> None:
    """A checkpoint that is quantised already loads as it is, and its library counts in the fingerprint."""
    model = load_model(checkpoint)

    assert is_quantized(model.model.layers[0].self_attn.q_proj)
    assert torch.equal(logits_of(model), logits_of(load_model(quantized)))
    assert QUANTIZATIONS[quantized.quantization][0] in fingerprint(checkpoint, None).parts["libraries"]


def test_checkpoint_that_keeps_its_dtype(tiny_model: Any, tmp_path: Path) -> None:
    """A 4-bit checkpoint in bfloat16 stays in bfloat16: asking for float32 is refused, `auto` is not."""
    with quiet():
        pytest.importorskip("bitsandbytes", reason="needs pip install pytest-llmval[quantized]")
        saved = dataclasses.replace(tiny_model("llama"), quantization="nf4", dtype="bfloat16")
        load_model(saved).save_pretrained(tmp_path)
    settings = ModelSettings(name="v2", model=str(tmp_path), dtype="auto")

    assert load_model(settings).dtype == torch.bfloat16
    expected = r": dtype 'float32', but the quantised \S+ comes in 'bfloat16'; expected dtype 'auto' or 'bfloat16'$"
    with pytest.raises(SettingsError, match=expected):
        load_model(dataclasses.replace(settings, dtype="float32"))


def test_quantized_twice(quantized: ModelSettings, checkpoint: ModelSettings) -> None:
    """Quantising such a checkpoint is refused: transformers would keep what it is and only warn."""
    twice = dataclasses.replace(checkpoint, quantization=quantized.quantization)

    library = QUANTIZATIONS[quantized.quantization][0]
    expected = rf"saved is quantised already, by '{library}'; leave quantization away$"
    with pytest.raises(SettingsError, match=expected):
        load_model(twice)


def test_adapter(quantized: ModelSettings, tmp_path: Path) -> None:
    """An adapter stays beside quantised weights: W of the rounded weights plus B A alpha / r."""
    import peft

    exact = load_model(plain(quantized))
    with quiet():
        adapted = peft.get_peft_model(exact, peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj"]))
        torch.manual_seed(3)
        torch.nn.init.normal_(adapted.base_model.model.model.layers[1].self_attn.q_proj.lora_B["default"].weight)
        adapted.save_pretrained(tmp_path)
    layer = adapted.base_model.model.model.layers[1].self_attn.q_proj
    delta = layer.lora_B["default"].weight.data @ layer.lora_A["default"].weight.data * 8 / 4
    oracle = float_model(quantized)
    before = logits_of(oracle)
    oracle.model.layers[1].self_attn.q_proj.weight.data += delta

    model = load_model(dataclasses.replace(quantized, adapter=str(tmp_path)))

    assert is_quantized(model.model.layers[0].mlp.gate_proj)
    assert (logits_of(model) - logits_of(oracle)).abs().max() < 1e-4
    assert (logits_of(model) - before).abs().max() > 0.1


def test_quiet(tiny_model: Any) -> None:
    """What the libraries say when they are imported is not shown."""
    with quiet():
        pytest.importorskip("bitsandbytes", reason="needs pip install pytest-llmval[quantized]")
    settings = dataclasses.replace(tiny_model("llama"), quantization="nf4")
    code = (
        "from pytest_llmval.servers.engine.loading import load_model\n"
        "from pytest_llmval.settings import ModelSettings\n"
        f"load_model({settings!r})"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(("quantization", "library"), [(q, each) for q, all_ in QUANTIZATIONS.items() for each in all_])
def test_missing_library(tiny_model: Any, monkeypatch: pytest.MonkeyPatch, quantization: str, library: str) -> None:
    """Without a library the message names the command that installs it."""
    settings = dataclasses.replace(tiny_model("llama"), quantization=quantization)
    for each in QUANTIZATIONS[quantization]:
        monkeypatch.setitem(sys.modules, each, None if each == library else sys)

    expected = rf": quantization '{quantization}' needs {library}: pip install pytest-llmval\[quantized\]$"
    with pytest.raises(SettingsError, match=expected):
        load_model(settings)


def test_unknown_in_llmval_toml(tmp_path: Path) -> None:
    """A value that is not known names those that are, before anything is loaded."""
    (tmp_path / "llmval.toml").write_text('[models.v2]\nmodel = "v2"\nquantization = "int4"\n')

    expected = r"^llmval\.toml \[models\.v2\]: unknown quantization 'int4'; did you mean 'int8'\? known: 'int8', 'nf4'$"
    with pytest.raises(SettingsError, match=expected):
        read_config(tmp_path / "llmval.toml")


def test_every_value_can_be_made() -> None:
    """The values that settings know are those that can be loaded."""
    assert MAKERS.keys() == QUANTIZATIONS.keys()
