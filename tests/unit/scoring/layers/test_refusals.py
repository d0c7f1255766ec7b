"""Models that cannot be compared are refused, and the message says what was given and what would be right."""

from __future__ import annotations

import copy

import pytest
import torch
import transformers

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.layers.compare import assert_layers_close, compare_layers

CAUSAL = "expected a causal language model of transformers in the style of Llama, Qwen, Mistral, GPT-2 or Gemma"


def sides(model, other):
    """Keywords of a call in which each of the three is the odd one."""
    return {
        "candidate": {"candidate": model, "reference": other},
        "reference": {"candidate": other, "reference": model},
        "control": {"candidate": other, "reference": other, "control": model},
    }


@pytest.mark.parametrize("who", ["candidate", "reference", "control"])
def test_training_mode(tiny, few, who):
    """Dropout would make every run another."""
    with pytest.raises(ValueError, match=rf"^the {who} is in training mode, .*; call model\.eval\(\) first$"):
        compare_layers(prompts=few, **sides(tiny().train(), tiny())[who])


@pytest.mark.parametrize("who", ["candidate", "reference", "control"])
def test_weights_on_the_meta_device(tiny, few, who):
    """A model that was made and never loaded."""
    with torch.device("meta"):
        empty = transformers.AutoModelForCausalLM.from_config(tiny().config).eval()

    with pytest.raises(ValueError, match=f"^the {who} has weights on the meta device, which hold no numbers; load"):
        compare_layers(prompts=few, **sides(empty, tiny())[who])


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"layers": 4}, "layers: 3 -> 4"),
        ({"hidden": 32}, "hidden size: 64 -> 32"),
        ({"vocabulary": 300}, "vocabulary: 512 -> 300"),
    ],
)
def test_other_sizes(tiny, few, sizes, words):
    """Depth, width, vocabulary."""
    with pytest.raises(InvalidComparison, match=f"^reference and candidate differ in {words}; layers of different"):
        compare_layers(tiny(**sizes), tiny(), few)
    with pytest.raises(InvalidComparison, match=f"^reference and control differ in {words}; layers of different"):
        compare_layers(tiny(), tiny(), few, control=tiny(**sizes))


def test_another_architecture_of_the_same_sizes(tiny, few):
    """No module of a layer has its like."""
    with pytest.raises(InvalidComparison) as raised:
        compare_layers(tiny("gpt2"), tiny(), few)

    assert str(raised.value).startswith(
        "layers of reference and candidate consist of other modules: self_attn.q_proj, "
    )
    assert str(raised.value).endswith("; layers of different architectures do not correspond")
    assert " -> ln_1, attn.c_attn, " in str(raised.value)


def test_a_base_model_without_head(tiny, few):
    """As AutoModel loads it."""
    with pytest.raises(InvalidComparison) as raised:
        compare_layers(tiny().model, tiny(), few)

    assert str(raised.value) == (
        "the candidate (LlamaModel) has no output head to compare logits of; load it with AutoModelForCausalLM"
    )


def test_a_module_that_is_no_language_model(few):
    """It has no configuration in which a depth could stand."""
    linear = torch.nn.Linear(2, 2).eval()

    with pytest.raises(InvalidComparison) as raised:
        compare_layers(linear, linear, few)

    assert str(raised.value) == (
        f"the candidate (Linear) has no configuration with num_hidden_layers; its modules are none; {CAUSAL}"
    )


@pytest.mark.parametrize("who", ["candidate", "reference", "control"])
@pytest.mark.parametrize("given", ["v2", 5, {}])
def test_no_module_at_all(tiny, few, who, given):
    """For example the name of a version."""
    with pytest.raises(TypeError) as raised:
        compare_layers(prompts=few, **sides(given, tiny())[who])

    assert (
        str(raised.value) == f"the {who} is {given!r}; expected a torch.nn.Module, for example the fixture torch_model"
    )


def test_an_encoder(few):
    """Its tokens see later ones, and what its missing mask means is another thing."""
    config = transformers.BertConfig(
        vocab_size=512, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    encoder = transformers.BertForMaskedLM(config).eval()

    with pytest.raises(InvalidComparison) as raised:
        compare_layers(encoder, encoder, few)

    assert str(raised.value) == (
        f"the candidate (BertForMaskedLM) has an encoder, whose tokens see later ones; {CAUSAL}"
    )


def test_an_encoder_and_a_decoder(few):
    """Its forward pass wants two inputs."""
    config = transformers.T5Config(vocab_size=512, d_model=32, d_kv=8, num_layers=2, num_heads=2, d_ff=32)
    model = transformers.T5ForConditionalGeneration(config).eval()

    with pytest.raises(InvalidComparison, match=r"^the candidate \(T5ForConditionalGeneration\) has an encoder"):
        compare_layers(model, model, few)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_weight_that_is_not_finite_is_named(tiny, half, few, value):
    """Numbers behind it are all NaN, and its own stage is found nevertheless."""
    candidate = tiny()
    candidate.model.layers[1].mlp.up_proj.weight.data[3, 4] = value

    for each in (candidate, half(candidate)):
        report = compare_layers(each, tiny(), few)
        assert report.headline == ("layers.1.mlp.up_proj is at fault: its weight differs; 28 elements NaN or infinite")
        assert [culprit.recovered_kl for culprit in report.culprits] == [float("inf")]


@pytest.mark.parametrize(("path", "elements"), [("lm_head", "28 elements"), ("model.embed_tokens", "1 element")])
def test_a_weight_that_is_not_finite_at_an_end(tiny, few, path, elements):
    """One column of the logits, not all of them; one channel of one token."""
    candidate = tiny()
    candidate.get_submodule(path).weight.data[2, 4] = torch.nan

    report = compare_layers(candidate, tiny(), few)

    assert report.headline == (
        f"{path.removeprefix('model.')} is at fault: its weight differs; {elements} NaN or infinite"
    )


def test_a_control_that_is_not_finite_gives_no_scale(tiny, few):
    """The comparison is invalid, and the candidate not called wrong."""
    control = tiny()
    control.model.layers[1].mlp.up_proj.weight.data[3, 4] = torch.nan

    with pytest.raises(InvalidComparison) as raised:
        assert_layers_close(tiny(), tiny(), few, control=control)

    assert str(raised.value).startswith("layers.1 was not compared: the control has ")
    assert "NaN or infinite elements, so it gives no scale" in str(raised.value)


def test_a_reference_that_is_not_finite_shows_nothing(tiny, few):
    """Neither beside a sound candidate nor beside one with the same fault."""
    reference = tiny()
    reference.model.layers[1].mlp.up_proj.weight.data[3, 4] = torch.nan

    for candidate in (tiny(), copy.deepcopy(reference)):
        with pytest.raises(InvalidComparison, match=r"^layers\.1 was not compared: the reference has \d+ NaN elements"):
            assert_layers_close(candidate, reference, few)


def test_a_control_of_other_weights_hides_no_fault(tiny, few):
    """Its error is no scale: it is larger than any bug's."""
    candidate = tiny()
    candidate.model.layers[1].self_attn.o_proj.weight.data.zero_()

    with pytest.raises(InvalidComparison, match=r"^embed_tokens was not compared: the control's error is 1\.\d+ of"):
        assert_layers_close(tiny(), tiny(), few, control=tiny(seed=1))
    assert not compare_layers(candidate, tiny(), few, control=tiny(seed=1)).passed


def test_compiled_models_are_unwrapped(tiny, few):
    """`torch.compile` returns a module around the model; hooks work on what is inside."""

    class Compiled:
        def __init__(self, model) -> None:
            self._orig_mod = model

    wrong = tiny()
    wrong.lm_head.weight.data.mul_(1.1)

    passing = compare_layers(Compiled(tiny()), Compiled(tiny()), few, control=Compiled(tiny()))
    failing = compare_layers(Compiled(wrong), Compiled(tiny()), few)

    assert passing.passed
    assert [each.name for each in failing.culprits] == ["lm_head"]


def test_the_assertion_returns_its_report(tiny, few):
    """And raises with it when a stage is at fault."""
    wrong = tiny()
    wrong.model.norm.weight.data.mul_(1.1)

    assert assert_layers_close(tiny(), tiny(), few).passed
    with pytest.raises(ModelRegression, match=r"^norm is at fault: its weight looks scaled by 1\.1") as raised:
        assert_layers_close(wrong, tiny(), few)
    assert raised.value.report.culprits[0].name == "norm"
