"""Known bugs are put into a model and taken out again, and leave nothing behind."""

from __future__ import annotations

import copy

import pytest
import torch
import transformers

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.mutations.catalogue import known_bugs

PROMPTS = torch.tensor([[0, 0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 10], [0, 11, 12, 13, 14, 15]])
MASK = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]])
TOKEN = 7  # in the second prompt
OF_LOSSES = {"labels shifted by one"}
"""Bugs that logits do not show."""


def llama():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.2, tie_word_embeddings=False,
    )  # fmt: skip
    return transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


def gpt2():
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=64, n_embd=32, n_layer=3, n_head=4, n_positions=64, initializer_range=0.2, bos_token_id=0,
        eos_token_id=1,
    )  # fmt: skip
    return transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


@pytest.fixture(scope="module", params=[llama, gpt2])
def model(request):
    return request.param()


@pytest.fixture(scope="module")
def bugs(model):
    return known_bugs(model, token=TOKEN)


def outputs(model) -> dict[str, torch.Tensor]:
    """Logits of the tokens, and the loss."""
    labels = PROMPTS.masked_fill(MASK == 0, -100)
    with torch.no_grad():
        found = model(input_ids=PROMPTS, attention_mask=MASK, labels=labels, use_cache=False)
    return {"logits": found.logits[MASK.bool()], "loss": found.loss}


def state(model):
    """Weights and buffers as bits, hooks, and what else modules keep."""
    tensors = [*model.parameters(), *model.buffers()]
    hooks = sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in model.modules())
    plain = [
        {name: value for name, value in vars(each).items() if isinstance(value, int | float | str)}
        for each in model.modules()
    ]
    return [tensor.clone() for tensor in tensors], [id(tensor) for tensor in tensors], hooks, plain


def require_unchanged(model, before, found):
    tensors, places, hooks, plain = state(model)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(tensors, before[0], strict=True))
    assert (places, hooks, plain) == before[1:]
    assert all(torch.equal(outputs(model)[name], value) for name, value in found.items())


def test_every_bug_is_seen_in_what_it_is_a_bug_of(model, bugs):
    """A control that changes nothing would control nothing: logits, or the loss where only that is wrong."""
    sound = outputs(model)

    for bug in bugs:
        with bug.inject(model):
            changed = outputs(model)
        name = "loss" if bug.name in OF_LOSSES else "logits"
        assert changed[name].isfinite().all(), bug.name
        assert not torch.equal(changed[name], sound[name]), bug.name


def test_every_bug_is_taken_out_bit_for_bit(model, bugs):
    """Weights, buffers, hooks, settings and outputs are what they were."""
    before, sound = state(model), outputs(model)

    for bug in bugs:
        with bug.inject(model):
            pass
        require_unchanged(model, before, sound)


def test_every_bug_is_taken_out_when_a_test_fails(model, bugs):
    """As it does when it finds the bug."""
    before, sound = state(model), outputs(model)

    for bug in bugs:
        with pytest.raises(AssertionError, match="found"), bug.inject(model):
            raise AssertionError("found")
        require_unchanged(model, before, sound)


def test_bugs_within_each_other_are_taken_out(model, bugs):
    """The last one first."""
    before, sound = state(model), outputs(model)

    with bugs[0].inject(model), bugs[1].inject(model), bugs[-1].inject(model):
        pass

    require_unchanged(model, before, sound)


def test_only_bugs_of_weights_change_them(model, bugs):
    """`in_weights` says whether a conversion to another dtype keeps the bug."""
    weights = copy.deepcopy(model.state_dict())

    for bug in bugs:
        with bug.inject(model):
            equal = all(torch.equal(ours, weights[name]) for name, ours in model.state_dict().items())
        assert equal is not bug.in_weights, bug.name


def test_every_bug_says_where_it_sits(model, bugs):
    """By a path that the model has; no two bugs have one name."""
    paths = dict(model.named_modules())

    assert all(path in paths for bug in bugs for path in bug.at)
    assert len({bug.name for bug in bugs}) == len(bugs) > 5


def test_the_layer_can_be_chosen():
    """By default it is the middle one."""
    model = llama()

    default, last = known_bugs(model), known_bugs(model, layer=2)

    assert default[0].at == ("model.layers.1.self_attn.o_proj",)
    assert last[0].at == ("model.layers.2.self_attn.o_proj",)


def test_a_model_in_bfloat16_keeps_its_dtype():
    """The change is made in float32 and rounded once."""
    model = llama().to(torch.bfloat16)

    for bug in known_bugs(model, token=TOKEN):
        with bug.inject(model):
            assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}, bug.name


def test_something_that_is_no_language_model_has_no_known_bugs():
    """The message is that of the comparison by layers."""
    with pytest.raises(InvalidComparison, match=r"^the model \(Linear\) has no configuration with num_hidden_layers"):
        known_bugs(torch.nn.Linear(2, 2))
