"""Decoding with a cache: faults of slots, positions, chunks and rollbacks are found, and named."""

from __future__ import annotations

import re

import pytest
import torch

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.invariances import kv_consistency
from pytest_llmval.scoring.tensors.invariances.decoding import assert_decode_matches_prefill
from pytest_llmval.scoring.tensors.invariances.kv_consistency import assert_kv_consistent


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("rows", [slice(None), slice(1, 2)], ids=["batch", "batch of one"])
def test_a_stale_slot_is_found_after_it_was_left(fresh, fault, prompts, rows, dtype):
    """Slot 3 is read from the step after the one that should have filled it."""
    model = fault["keep_stale_slot"](fresh(dtype=dtype))

    with pytest.raises(ModelRegression) as raised:
        assert_decode_matches_prefill(model, prompts[rows], amounts=(0,), rollback=())

    text = str(raised.value)
    assert text.startswith("equality of decoding and prefill fails: in steps of 1, ")
    assert "a slot is stale or overwritten" in text
    assert "assert_kv_consistent names layer and head" in text


def test_a_stale_slot_of_one_row_is_named_by_its_first_reader(fresh, fault, prompts):
    """Slot 3 becomes stale at the end of step 3: position 4 is the first that reads it."""
    model, prompt = fault["keep_stale_slot"](fresh()), prompts[1]

    with pytest.raises(ModelRegression, match=rf"in steps of 1, row 0 at position 4 \(token {prompt[4]}\) differs"):
        assert_decode_matches_prefill(model, prompt, amounts=(0,), rollback=())


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma3"])
def test_a_cache_position_off_by_one_is_found_at_the_first_step_after_the_cache(fresh, fault, prompts, name):
    """Position 1 is the first that is read with a cache."""
    with pytest.raises(ModelRegression, match=r"in steps of 1(, padding of 0 on the left)?, row 0 at position 1 "):
        assert_decode_matches_prefill(fault["count_positions_wrongly"](fresh(name)), prompts)


def test_a_fault_of_chunks_passes_token_by_token(fresh, prompts):
    """transformers#46190: several tokens at once after a filled cache."""
    model = fresh()

    def chunked(_module, args, kwargs):
        cache, ids = kwargs.get("past_key_values"), kwargs["input_ids"]
        if cache is not None and cache.get_seq_length() and ids.shape[1] > 1:
            kwargs = kwargs | {"position_ids": kwargs["position_ids"].roll(1, dims=1)}
        return args, kwargs

    model.register_forward_pre_hook(chunked, with_kwargs=True)

    assert assert_decode_matches_prefill(model, prompts, schedules=[(1,)], rollback=(), amounts=(0,)).passed
    with pytest.raises(ModelRegression, match="fails: in steps of 3, "):
        assert_decode_matches_prefill(model, prompts, schedules=[(1,), (3,)], rollback=(), amounts=(0,))


def test_a_rollback_that_leaves_a_slot_is_found(fresh, prompts, monkeypatch):
    """A crop of the values at the wrong end keeps those of the rejected draft."""
    from transformers.cache_utils import DynamicLayer

    crop = DynamicLayer.crop

    def wrong_end(self, tokens):
        values = self.values
        crop(self, tokens)
        self.values = values[..., -tokens:, :]

    model = fresh()
    assert assert_decode_matches_prefill(model, prompts).passed
    monkeypatch.setattr(DynamicLayer, "crop", wrong_end)

    with pytest.raises(
        ModelRegression, match=r"in steps of 1, padding of 0 on the left, 1 read ahead and taken back, "
    ):
        assert_decode_matches_prefill(model, prompts)
    assert assert_decode_matches_prefill(model, prompts, rollback=()).passed


def test_a_mask_forgotten_in_decoding_is_found_with_padding(fresh, prompts):
    """With one row and no padding nothing shows."""
    model = fresh()

    def forgetting(_module, args, kwargs):
        cache = kwargs.get("past_key_values")
        if cache is not None and cache.get_seq_length():
            kwargs = kwargs | {"attention_mask": torch.ones_like(kwargs["attention_mask"])}
        return args, kwargs

    model.register_forward_pre_hook(forgetting, with_kwargs=True)

    assert assert_decode_matches_prefill(model, prompts[:1], amounts=(0,)).passed
    with pytest.raises(ModelRegression, match="in steps of 1, padding of 33 on the left, row 0 at position"):
        assert_decode_matches_prefill(model, prompts[:1])


def test_a_cache_that_cannot_be_cropped_is_noted_or_refused(fresh, prompts, monkeypatch):
    """Nothing that was asked for is left out in silence."""
    from transformers.cache_utils import DynamicLayer

    monkeypatch.setattr(DynamicLayer, "is_croppable", False)

    report = assert_decode_matches_prefill(fresh(), prompts, amounts=(0,))

    assert report.notes == ("nothing was rolled back: the cache of LlamaForCausalLM cannot be cropped",)
    with pytest.raises(
        InvalidComparison, match="after a rollback cannot be decided: the cache of LlamaForCausalLM can"
    ):
        assert_decode_matches_prefill(fresh(), prompts, rollback=(1,))


@pytest.mark.parametrize("check", [assert_decode_matches_prefill, assert_kv_consistent])
def test_what_keeps_no_cache_is_refused(check, prompts):
    """A function, and a module whose forward takes none."""

    class Bigram(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(96, 96)

        def forward(self, input_ids, attention_mask):  # noqa: ARG002 - what a language model takes
            return self.table(input_ids)

    with pytest.raises(
        ValueError, match="needs the key-value cache, and <lambda> is a function; expected a model of tr"
    ):
        check(lambda ids, _mask: ids, prompts)
    with pytest.raises(
        ValueError, match=r"needs a key-value cache, and Bigram has none \(forward takes no past_key_val"
    ):
        check(Bigram().eval(), prompts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"schedules": ()},
            "schedules=(); expected tuples of numbers of tokens, each at least 1, as in ((1,), (2, 3))",
        ),
        ({"schedules": [(1, 0)]}, "schedules=[(1, 0)]; expected tuples"),
        ({"rollback": (0,)}, "rollback=(0,); expected numbers of tokens in a tuple, each at least 1, or () for none"),
        ({"rollback": 2}, "rollback=2; expected numbers of tokens in a tuple"),
        ({"amounts": (-1,)}, "amounts=(-1,); expected numbers of columns, at least one, each at least 0"),
    ],
)
def test_schedules_that_cannot_be_meant_are_refused(llama, prompts, options, message):
    """Before anything is run."""
    with pytest.raises(ValueError, match=re.escape(message)):
        assert_decode_matches_prefill(llama, prompts, **options)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        # Slot 3 of layer 1 is the first thing wrong, keys before values.
        ("keep_stale_slot", r"layer 1 keys, head 0, row 0 at position 3 "),
        # Keys are rotated by their position, from the first that is read with a filled cache.
        ("count_positions_wrongly", r"layer 0 keys, head 0, row 0 at position 1 "),
    ],
)
def test_the_cache_names_layer_head_and_position(fresh, fault, prompts, name, where):
    """The first that differs, in the order of positions."""
    with pytest.raises(ModelRegression) as raised:
        assert_kv_consistent(fault[name](fresh()), prompts[1:2], schedules=[(1,)])

    text = str(raised.value)
    assert re.match(f"consistency of the key-value cache fails: in steps of 1, {where}", text)
    assert re.search(r"\n  first: channel \d expected \S+ -> actual \S+ \([\d.]+e\+\d\d ULP of float32\)", text)
    assert "in its keys only, positions are rotated otherwise in decoding" in text


def test_wrong_positions_leave_the_values_of_the_first_layer_alone(fresh, fault, prompts, monkeypatch):
    """What the meaning promises: keys only, until attention has mixed them into the next layer."""
    found = {}
    model, compared = fault["count_positions_wrongly"](fresh()), kv_consistency._strips_of_tensor

    def listed(name, actual, expected, batch):
        found[name] = torch.allclose(actual, expected, atol=1e-5)
        return compared(name, actual, expected, batch)

    monkeypatch.setattr(kv_consistency, "_strips_of_tensor", listed)
    with pytest.raises(ModelRegression):
        assert_kv_consistent(model, prompts[1:2], schedules=[(1,)])

    assert found == {
        "layer 0 keys": False,
        "layer 0 values": True,
        "layer 1 keys": False,
        "layer 1 values": False,
    }


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("name", "heads"), [("llama", 2), ("gpt2", 4)])
def test_the_cache_does_not_depend_on_steps_or_padding(fresh, prompts, name, heads, side):
    """Positions under padding are left out."""
    report = assert_kv_consistent(fresh(name), prompts, side=side, amount=7)

    assert report.compared == 5 * 2 * 2 * heads * sum(map(len, prompts))  # schedules, layers, keys and values, heads


def test_of_a_window_the_slots_it_holds_are_compared(fresh, prompts):
    """The last 3 columns of a window of 4; with padding on the right they hold no token, and nothing is shown."""
    model = fresh("gemma3")

    assert assert_kv_consistent(model, prompts).compared == 5 * 2 * 2 * 2 * 3 * len(prompts)
    with pytest.raises(InvalidComparison, match="cannot be decided: nothing was compared in steps of 1"):
        assert_kv_consistent(model, prompts, side="right", amount=7)


def test_a_cache_without_keys_and_values_is_not_consistent(fresh, prompts, monkeypatch):
    """Nothing compared is never a pass."""
    monkeypatch.setattr("pytest_llmval.scoring.tensors.invariances.kv_consistency.kv_layers", lambda _cache: [])

    with pytest.raises(InvalidComparison, match="the cache of LlamaForCausalLM holds no keys and values"):
        assert_kv_consistent(fresh(), prompts)


def test_slots_lost_by_steps_are_a_regression(fresh, prompts):
    """A cache of another length cannot be compared, and is wrong."""
    model = fresh()

    def losing(_module, _args, kwargs, _output):
        cache = kwargs.get("past_key_values")
        if cache is not None and kwargs["input_ids"].shape[1] == 2:
            cache.layers[1].values = cache.layers[1].values[:, :, 1:]

    model.register_forward_hook(losing, with_kwargs=True)

    with pytest.raises(
        ModelRegression, match=r"layer 1 values have shape \(1, 2, 8, 8\) after one pass -> \(1, 2, 7, 8"
    ):
        assert_kv_consistent(model, prompts[2:3], schedules=[(6, 2)])
