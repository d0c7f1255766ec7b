"""Each supported architecture: faultless implementations pass, and a fault is named by the path it has there."""

from __future__ import annotations

import copy

import pytest
import torch

from pytest_llmval.scoring.tensors.layers.compare import compare_layers

LLAMAS = ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3"]
MLP_OUTPUT = dict.fromkeys(LLAMAS, "layers.1.mlp.down_proj") | {"gpt2": "h.1.mlp.c_proj"}
KINDS = list(MLP_OUTPUT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cast_to_bfloat16_is_no_fault(tiny, half, prompts, kind):
    """The default control has the same rounding, and the same code."""
    reference = tiny(kind)

    report = compare_layers(half(reference), reference, prompts)

    assert report.passed, str(report)
    assert report.control == "the reference's weights in bfloat16"
    assert report.kl == report.control_kl > 0
    assert report.headline == f"no stage is at fault: {len(report.stages)} stages compared"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "gemma2"])
def test_another_attention_kernel_in_float32_is_no_fault(tiny, prompts, kind):
    """SDPA beside eager attention. Gemma 2 caps its scores, for which only eager attention has code."""
    report = compare_layers(tiny(kind, attention="sdpa"), tiny(kind), prompts)

    assert report.passed, str(report)
    assert 0 < report.kl < 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_a_reference_in_bfloat16_is_no_fault_of_a_precise_candidate(tiny, half, prompts, kind):
    """No candidate can match rounded weights better than the rounding."""
    candidate = tiny(kind)

    report = compare_layers(candidate, half(candidate), prompts)

    assert report.passed, str(report)
    assert report.context.startswith("bfloat16 -> float32 on 8 prompts, 198 tokens; control: the reference's weights")


@pytest.mark.parametrize("kind", KINDS)
def test_two_models_in_bfloat16(tiny, half, prompts, kind):
    """The reference then runs in float32, one layer at a time."""
    reference = half(tiny(kind))

    assert compare_layers(copy.deepcopy(reference), reference, prompts).passed


@pytest.mark.parametrize("kind", KINDS)
def test_one_scaled_projection_is_named(tiny, half, prompts, kind):
    """By its path in that architecture."""
    reference = tiny(kind)
    candidate = half(reference)
    path = MLP_OUTPUT[kind]
    candidate.get_submodule(f"{'transformer' if kind == 'gpt2' else 'model'}.{path}").weight.data.mul_(1.02)

    report = compare_layers(candidate, reference, prompts)

    assert [each.name for each in report.culprits] == [path]
    assert report.headline.startswith(f"{path} is at fault: its weight looks scaled by 1.0")


@pytest.mark.parametrize("kind", LLAMAS)
def test_a_cast_that_rounds_the_inverse_frequencies_is_named(tiny, few, kind):
    """`model.to(dtype)` rounds buffers, too, and positions with them: far from the start it shows."""
    reference = tiny(kind)
    long = [*few, [at % 500 for at in range(100)]]

    report = compare_layers(tiny(kind).to(torch.bfloat16), reference, long)

    assert {each.name.split(" of ")[0] for each in report.culprits} == {"rotary_emb"}
    assert not report.passed


def test_learned_positions_have_no_inverse_frequencies_to_round(tiny, prompts):
    """GPT-2 keeps positions as weights."""
    assert compare_layers(tiny("gpt2").to(torch.bfloat16), tiny("gpt2"), prompts).passed


@pytest.mark.parametrize("kind", ["gemma2", "gemma3"])
def test_layers_that_alternate_have_a_mask_of_each_kind(tiny, half, prompts, kind):
    """Sliding windows and full attention, and with Gemma 3 rotary tables of both."""
    reference = tiny(kind)

    names = [stage.name for stage in compare_layers(half(reference), reference, prompts).stages]

    assert names[-2:] == ["norm", "lm_head"]
    assert {"mask", "mask of layers.1"} <= set(names)
    assert ("rotary_emb of layers.1" in names) == (kind == "gemma3")


class Wrapped(torch.nn.Module):
    """A model below one more module, as adapters and multimodal models put it."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.config = model, model.config

    def get_output_embeddings(self) -> torch.nn.Module:
        """The wrapped model's."""
        return self.inner.get_output_embeddings()

    def forward(self, **given):
        """As the wrapped model."""
        return self.inner(**given)


@pytest.mark.parametrize("name", ["layers.1.mlp.down_proj", "norm", "embed_tokens", "lm_head"])
def test_a_wrapped_candidate_has_the_same_names(tiny, few, name):
    """Paths differ by what is wrapped around; weights and swaps find their counterpart nevertheless."""
    candidate = tiny(attention="sdpa")
    candidate.get_submodule(name if name == "lm_head" else f"model.{name}").weight.data.mul_(1.1)

    report = compare_layers(Wrapped(candidate).eval(), tiny(), few)

    (culprit,) = report.culprits
    assert culprit.name == name
    assert culprit.hint == "its weight looks scaled by 1.1"
    assert culprit.recovered_kl == pytest.approx(report.kl, rel=1e-3)


class Bare(torch.nn.Module):
    """A layer that is one module, without others below it."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = torch.nn.Parameter(torch.randn(64, 64, generator=generator) / 8)

    def forward(self, hidden_states: torch.Tensor, **_: object) -> torch.Tensor:
        """As a decoder layer of transformers is called."""
        return hidden_states + hidden_states @ self.weight


def test_layers_without_modules_below_them(tiny, prompts):
    """They have no module in common because they have none; a wrong one is named as a whole."""
    reference = tiny()
    reference.model.layers = torch.nn.ModuleList(Bare(seed) for seed in range(3))
    candidate = copy.deepcopy(reference)
    assert compare_layers(candidate, reference, prompts).passed

    with torch.no_grad():
        candidate.model.layers[1].weight[0] *= 2

    assert compare_layers(candidate, reference, prompts).culprits[0].name == "layers.1"
