"""Each known bug is named in bfloat16 by another attention kernel than the control's, and nothing else is."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from pytest_llmval.scoring.tensors.layers.compare import compare_layers
from pytest_llmval.scoring.tensors.mutations.catalogue import known_bugs
from pytest_llmval.scoring.tensors.mutations.injection import changed_attribute

LAYERS = 6
CULPRITS = {
    "attention output x 1.01": "layers.3.self_attn.o_proj",
    "MLP output x 1.001": "layers.3.mlp.down_proj",
    "one channel x 1.05": "layers.3.mlp.down_proj",
    "KV head x 0.9": "layers.3.self_attn.v_proj",
    "K heads rolled": "layers.3.self_attn.k_proj",
    "int8 rounding": "layers.3.mlp.down_proj",
    "int4 rounding": "layers.3.mlp.down_proj",
    "K heads rolled in code": "layers.3.self_attn.k_proj",
    "attention scale x 1.02": "layers.3.self_attn",
    "norm epsilon 1e-2": "layers.3.input_layernorm",
    "RoPE x 1.01, one layer": "layers.3.self_attn",
    "mask of one row": "layers.3.self_attn",
    "next token seen": "layers.3.self_attn",
    "RoPE x 1.01, all layers": "rotary_emb",
    "RoPE x 0.99, all layers": "rotary_emb",
    "final norm x 0.97": "norm",
    "one embedding row x 1.5": "embed_tokens",
    "lm_head x 1.01": "lm_head",
}
"""Which stage each bug of `known_bugs` is to be found in."""
FOUND_ELSEWHERE = {"norm epsilon 1e-4", "two layers exchanged", "labels shifted by one"}
"""Bugs with a test of their own."""


@pytest.fixture(scope="module")
def reference(tiny):
    return tiny(layers=LAYERS)


@pytest.fixture(scope="module")
def bugs(reference, prompts):
    return {bug.name: bug for bug in known_bugs(reference, token=prompts[3][4])}


@pytest.fixture(scope="module")
def found(tiny, half, reference, prompts, bugs):
    """The function that compares a model with a bug, in bfloat16 by SDPA, with a control by eager kernels."""
    control, reports = half(reference), {}

    def find(name):
        if name not in reports:
            reports[name] = _compared(bugs[name])
        return reports[name]

    def _compared(bug):
        full = tiny(layers=LAYERS, attention="sdpa")
        with bug.inject(full) if bug.in_weights else nullcontext():
            candidate = half(full)
        with nullcontext() if bug.in_weights else bug.inject(candidate):
            return compare_layers(candidate, reference, prompts, control=control)

    return find


def test_the_table_has_every_known_bug(bugs):
    """A bug that is added to the catalogue must be found, too."""
    assert bugs.keys() == CULPRITS.keys() | FOUND_ELSEWHERE


@pytest.mark.parametrize("name", CULPRITS)
def test_a_known_bug_is_named_and_nothing_else(found, bugs, name):
    """The culprits are exactly the stage that the bug sits in, which the headline begins with."""
    report = found(name)

    assert [each.name for each in report.culprits] == [CULPRITS[name]]
    assert [path.removeprefix("model.") for path in bugs[name].at] == [CULPRITS[name]]
    assert report.headline.startswith(f"{CULPRITS[name]} is at fault: ")
    assert not report.passed
    assert not report.undecided


@pytest.mark.parametrize("seed", [0, 1])
def test_without_a_bug_no_stage_is_named(tiny, half, prompts, seed):
    """Another kernel rounds otherwise, and that is no fault."""
    reference = tiny(layers=LAYERS, seed=seed)
    candidate = half(tiny(layers=LAYERS, seed=seed, attention="sdpa"))

    report = compare_layers(candidate, reference, prompts, control=half(reference))

    assert report.passed
    assert report.headline == f"no stage is at fault: {LAYERS + 5} stages compared"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("K heads rolled in code", "its weights are equal: the fault is in its code"),
        ("norm epsilon 1e-2", "its weights are equal: the fault is in its code"),
        ("attention scale x 1.02", "its modules agree: wrong before o_proj"),
        ("RoPE x 1.01, one layer", "its modules agree: wrong before o_proj"),
        ("mask of one row", "its modules agree: wrong before o_proj"),
        ("next token seen", "its modules agree: wrong before o_proj"),
    ],
)
def test_a_fault_in_code_is_told_from_one_in_weights(found, name, hint):
    """Where the weights are equal, the hint says so; where no module is wrong, it says between which."""
    (culprit,) = found(name).culprits

    assert culprit.hint == hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("attention output x 1.01", "its weight looks scaled by 1.01"),
        ("one channel x 1.05", "its weight looks row 7 (1.56 % of rows) scaled by 1.0"),
        ("KV head x 0.9", "its weight looks 16 rows from 0 to 15 (50 % of rows) scaled by 0.9"),
        ("K heads rolled", "its weight looks heads permuted: blocks of 16 rows moved (1 -> 0, 0 -> 1)"),
        ("int4 rounding", "its weight differs"),
        ("lm_head x 1.01", "its weight looks scaled by 1.01"),
        ("one embedding row x 1.5", "its weight looks row "),
    ],
)
def test_a_fault_in_weights_is_described(found, name, hint):
    """The transform that the weight went through is named where there is a known one."""
    (culprit,) = found(name).culprits

    assert culprit.hint.startswith(hint)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("attention output x 1.01", "scaled by 1.01"),
        ("MLP output x 1.001", "scaled by 1.001"),
        ("one channel x 1.05", "most at channel 7"),
        ("RoPE x 1.01, one layer", "grows with the position"),
        ("mask of one row", "most in prompt 1"),
        ("int8 rounding", "spread evenly, as by rounding"),
        ("final norm x 0.97", "scaled by 0.9688"),  # 0.97 in bfloat16 is 0.96875
        ("one embedding row x 1.5", "most at position 4 of prompt 3"),
    ],
)
def test_the_error_shows_what_kind_of_fault_it_is(found, name, words):
    """Numerics §1.5: factor, channel, position, prompt, token."""
    (culprit,) = found(name).culprits

    assert words in culprit.problem


def test_what_a_repair_brings_is_most_of_what_the_control_does_not_have(found):
    """For faults that are large beside rounding; the mask's shows only with the other prompts in the batch."""
    for name in ("K heads rolled", "int4 rounding", "mask of one row", "next token seen", "final norm x 0.97"):
        report = found(name)
        (culprit,) = report.culprits
        assert culprit.recovered_kl == pytest.approx(report.kl - report.control_kl, rel=0.1), name


def test_exchanged_layers_are_both_named(found):
    """Every projection of both differs, and no other stage."""
    names = {culprit.name for culprit in found("two layers exchanged").culprits}

    assert {name.rsplit(".", 2)[0] for name in names} == {"layers.0", "layers.5"}
    assert {f"layers.{at}.mlp.down_proj" for at in (0, 5)} <= names


def test_a_bug_of_the_loss_is_no_stage_of_the_network(found):
    """The logits are right, whatever is done with the labels; other checks look at losses."""
    assert found("labels shifted by one").passed


def test_a_small_epsilon_shows_in_float32_only(found, tiny, prompts):
    """Numerics §1.5: it is lost in the rounding of bfloat16, and in float32 its own size is found."""
    reference, candidate = tiny(), tiny(attention="sdpa")
    norm = "model.layers.1.input_layernorm"

    with changed_attribute(norm, "variance_epsilon", lambda _: 1e-4)(candidate):
        report = compare_layers(candidate, reference, prompts, control=tiny())

    assert found("norm epsilon 1e-4").passed
    assert [each.name for each in report.culprits] == ["layers.1.input_layernorm"]
    assert report.culprits[0].hint == "its weights are equal: the fault is in its code"


def test_a_fault_that_only_the_first_layer_has_does_not_name_those_behind_it(tiny, half, prompts):
    """What it makes wrong goes through all layers, and each of them is right."""
    reference = tiny(layers=LAYERS)
    candidate = half(reference)
    candidate.model.layers[0].mlp.down_proj.weight.data.mul_(2)

    report = compare_layers(candidate, reference, prompts)

    behind = [stage for stage in report.stages if stage.name.startswith("layers.") and stage.name != "layers.0"]
    assert [each.name for each in report.culprits] == ["layers.0.mlp.down_proj"]
    assert all(stage.split.free > 10 * stage.split.control_free for stage in behind)
    assert all(torch.isclose(torch.tensor(stage.signature.ratio), torch.tensor(1.0)) for stage in behind)


def test_a_hook_that_changes_what_a_module_is_given_is_the_modules_fault(tiny, few):
    """It is given the reference's input first, and what its own hooks make of that is compared."""
    candidate = tiny()
    projection = candidate.model.layers[1].mlp.down_proj
    projection.register_forward_pre_hook(lambda _, given: (1.1 * given[0],))

    report = compare_layers(candidate, tiny(), few)

    assert [each.name for each in report.culprits] == ["layers.1.mlp.down_proj"]
    assert report.culprits[0].hint == "its weights are equal: the fault is in its code"
