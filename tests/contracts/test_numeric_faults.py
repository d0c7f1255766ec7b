"""Every test of the numerics contract fails on the fault it is for, and passes on the same model without it."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from pytest_llmval.contracts import NumericsContract
from pytest_llmval.contracts.prompts import built_in_prompts
from pytest_llmval.errors import InvalidComparison, ModelRegression

if TYPE_CHECKING:
    from collections.abc import Callable

PAD = -100
TOKEN = 5  # whose logit is changed: one added to all logits of a position changes no probability


def noise(out, _):
    """Another result in every run."""
    out.logits += 1e-3 * torch.randn_like(out.logits)


def future(out, _):
    """A position knows the next one."""
    out.logits[:, :-1] += 1e-3 * out.logits[:, 1:].clone()


def mean_of_rows(out, _):
    """A row knows the others."""
    out.logits += 1e-3 * out.logits.mean(dim=0, keepdim=True)


def place_in_batch(out, _):
    """A row knows its place."""
    out.logits[..., TOKEN] += 1e-3 * torch.arange(len(out.logits))[:, None]


def ids_under_the_mask(out, given):
    """Padding is read."""
    out.logits[..., TOKEN] += 1e-3 * (given["input_ids"] * (1 - given["attention_mask"])).sum()


def columns_of_padding(out, given):
    """Padding is counted."""
    out.logits[..., TOKEN] += 1e-2 * (1 - given["attention_mask"]).sum(dim=1, keepdim=True)


def size_of_batch(out, _):
    """A prompt knows how many others there are."""
    out.logits[..., TOKEN] += 1e-2 * len(out.logits)


def absolute_positions(out, given):
    """Positions act by themselves."""
    out.logits[..., TOKEN] += 1e-2 * given["position_ids"]


def is_later_step(given):
    """Whether something is in the cache already."""
    return given.get("past_key_values") is not None and given["input_ids"].shape[1] < given["attention_mask"].shape[1]


def later_steps(out, given):
    """Decoding differs from prefill."""
    out.logits[..., TOKEN] += 1e-2 * is_later_step(given)


def nan_in_the_cache(_, given):
    """One number of the cache is lost."""
    if given.get("past_key_values") is not None:
        given["past_key_values"].layers[0].values[0, 0, -1, 0] = torch.nan


def keys_of_later_steps(_, given):
    """The last key of each step is not what prefill makes of it."""
    if is_later_step(given):
        given["past_key_values"].layers[1].keys[:, :, -1] *= 1.01


def labels_not_shifted(out, given):
    """Each position is asked for its own token."""
    if given.get("labels") is not None:
        out.loss = cross_entropy(out.logits.flatten(0, 1), given["labels"].flatten(), ignore_index=PAD)


def labels_twice(out, given):
    """Labels that a collator has shifted already are shifted again."""
    if given.get("labels") is not None:
        out.loss = cross_entropy(out.logits[:, :-2].flatten(0, 1), given["labels"][:, 2:].flatten(), ignore_index=PAD)


def mean_of_means(out, given):
    """Short rows count as much as long ones."""
    if given.get("labels") is not None:
        pairs = zip(out.logits[:, :-1], given["labels"][:, 1:], strict=True)
        out.loss = torch.stack([cross_entropy(*pair, ignore_index=PAD) for pair in pairs]).mean()


def one_nan(out, _):
    """One logit is not a number."""
    out.logits[0, -1, 0] = torch.nan


FAULTS: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "test_logits_are_finite": one_nan,
    "test_runs_repeat_themselves": noise,
    "test_later_tokens_do_not_matter": future,
    "test_other_rows_do_not_matter": mean_of_rows,
    "test_order_of_rows_does_not_matter": place_in_batch,
    "test_content_of_padding_does_not_matter": ids_under_the_mask,
    "test_padding_does_not_matter": columns_of_padding,
    "test_company_in_a_batch_does_not_matter": size_of_batch,
    "test_only_distances_of_positions_matter": absolute_positions,
    "test_decoding_equals_prefill": later_steps,
    "test_key_value_cache_is_valid": nan_in_the_cache,
    "test_key_value_cache_does_not_depend_on_steps": keys_of_later_steps,
    "test_loss_is_that_of_the_next_tokens": labels_not_shifted,
    "test_loss_does_not_depend_on_batching": mean_of_means,
}
OTHERWISE_TESTED = {
    "test_weights_are_finite",
    "test_no_weight_matrix_is_constant",
    "test_every_token_has_an_embedding",
    "test_can_do_what_the_baseline_can",
    "test_layers_are_those_of_the_baseline",
}


def planted(model, fault):
    """The model with a fault in what its forward gives."""
    original = model.forward

    @functools.wraps(original)
    def forward(*args, **given):
        out = original(*args, **given)
        fault(out, given)
        return out

    model.forward = forward
    return model


def run(name, model):
    """One test of the contract, with few schedules."""

    class Quick(NumericsContract):
        schedules = ((1,), (2, 3))

    getattr(Quick(), name)(model, built_in_prompts(model))


def test_each_test_has_its_fault():
    """A test without one could be a test that cannot fail."""
    names = {name for name, _ in inspect.getmembers(NumericsContract, inspect.isfunction) if name.startswith("test_")}

    assert names == set(FAULTS) | OTHERWISE_TESTED


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(random_model, name):
    """The test passes before and fails after."""
    model = random_model()
    run(name, model)

    with pytest.raises(ModelRegression):
        run(name, planted(model, FAULTS[name]))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (labels_not_shifted, "as if labels are not shifted"),
        (mean_of_means, "as if it is the mean of the rows' means"),
        (labels_twice, "as if labels are shifted twice"),
    ],
)
def test_a_wrong_loss_is_explained(random_model, fault, words):
    """The mistake that gives this very number is named."""
    model = planted(random_model(), fault)

    with pytest.raises(ModelRegression) as raised:
        run("test_loss_is_that_of_the_next_tokens", model)

    assert words in str(raised.value)


def test_a_loss_that_tells_nothing_is_undecided(random_model):
    """Where every token is as likely as any other, labels of the wrong position give the same loss."""
    model = random_model()
    with torch.no_grad():
        model.lm_head.weight.zero_()

    with pytest.raises(InvalidComparison, match=r"the loss cannot be judged: the right one is 4\.79,"):  # ln 120
        run("test_loss_is_that_of_the_next_tokens", model)


def test_half_precision_is_judged_where_no_fault_hides(random_model):
    """In bfloat16 the sound model passes and the damaged one fails, though rounding there is larger than the fault."""
    for name in ("test_loss_does_not_depend_on_batching", "test_padding_does_not_matter"):
        run(name, random_model().to(torch.bfloat16))

    with pytest.raises(ModelRegression):
        run("test_other_rows_do_not_matter", planted(random_model().to(torch.bfloat16), mean_of_rows))


def test_a_weight_that_is_nan(random_model):
    """The weight is named."""
    model = random_model()
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 4] = torch.nan

    with pytest.raises(ModelRegression, match=r"layers\.1\.mlp\.up_proj\.weight"):
        NumericsContract().test_weights_are_finite(model)


def test_a_matrix_that_was_never_loaded(random_model):
    """All matrices of one value are named; norms, which are all ones here, may be so."""
    model = random_model()
    NumericsContract().test_no_weight_matrix_is_constant(model)
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[1].mlp.down_proj.weight.fill_(0.5)

    with pytest.raises(ModelRegression) as raised:
        NumericsContract().test_no_weight_matrix_is_constant(model)

    assert str(raised.value) == (
        "2 weight matrices of 16 hold one value only: model.layers.0.self_attn.o_proj.weight (32, 32): all 0\n"
        "  model.layers.1.mlp.down_proj.weight (32, 64): all 0.5"
    )


def test_a_capability_that_is_lost(random_model):
    """The baseline has rotary positions, the candidate has none; the other way round nothing is lost."""
    llama, gpt2 = random_model(), random_model("gpt2")

    NumericsContract().test_can_do_what_the_baseline_can(llama, gpt2)
    with pytest.raises(ModelRegression) as raised:
        NumericsContract().test_can_do_what_the_baseline_can(gpt2, llama)

    assert str(raised.value).splitlines() == [
        "model: 1 capability flipped (baseline -> candidate)",
        "  has_rotary_positions: yes -> no",
        "    baseline: LlamaForCausalLM has rotary position embeddings",
        "    candidate: GPT2LMHeadModel has no rotary position embeddings",
    ]
