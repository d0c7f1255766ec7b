"""Key-value caches: shape, numbers, length and memory."""

from __future__ import annotations

import re

import pytest
import torch

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.invariances.kv_validity import assert_kv_cache_valid, inspect_kv_cache

SHAPE = {"seq_len": 6, "n_kv_heads": 2, "head_dim": 8}


def filled(model, kind="DynamicCache", tokens=6, rows=2, **options):
    """A cache after a forward pass over so many tokens."""
    import transformers

    cache = getattr(transformers, kind)(config=model.config, **options)
    ids = torch.arange(rows * tokens).reshape(rows, tokens)
    with torch.no_grad():
        model(input_ids=ids, attention_mask=torch.ones_like(ids), past_key_values=cache, use_cache=True)
    return cache


@pytest.fixture
def cache(llama):
    """A dynamic cache of 2 rows and 6 tokens."""
    return filled(llama)


def test_caches_as_models_fill_them_are_valid(fresh, cache):
    """Dynamic, with a window of 4, static, and as pairs."""
    pairs = [(layer.keys, layer.values) for layer in cache.layers]

    assert str(assert_kv_cache_valid(cache, **SHAPE)) == "the key-value cache is valid: 2 layers after 6 tokens"
    assert assert_kv_cache_valid(pairs, **SHAPE).layers == 2
    assert assert_kv_cache_valid(filled(fresh("gemma3")), **SHAPE).passed
    assert assert_kv_cache_valid(filled(fresh(), "StaticCache", max_cache_len=9), **SHAPE).passed
    assert assert_kv_cache_valid(filled(fresh("gpt2")), seq_len=6, n_kv_heads=[4, 4], head_dim=8, batch_size=2).passed


def set_nan(cache):
    """One value of row 1 is no number."""
    cache.layers[1].values[1, 0, 4, 3] = torch.nan


def lose_a_slot(cache):
    """The keys of layer 0 are one token short."""
    cache.layers[0].keys = cache.layers[0].keys[:, :, 1:]


def share_layers(cache):
    """Layer 1 writes into the keys of layer 0."""
    cache.layers[1].keys = cache.layers[0].keys


def share_rows(cache):
    """All rows of layer 0 are one piece of memory."""
    cache.layers[0].keys = cache.layers[0].keys[:1].expand(2, -1, -1, -1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            set_nan,
            "layer 1 values: 1 of the written numbers are not finite, first nan at row 1, head 0, slot 4, channel 3",
        ),
        (
            lose_a_slot,
            "layer 0 keys: shape expected (2, 2, 6, 8) -> actual (2, 2, 5, 8) ([rows, heads, slots, channels])",
        ),
        (share_layers, "layer 0 keys and layer 1 keys share memory, so that writing one overwrites the other"),
        (share_rows, "layer 0 keys: all rows share one piece of memory, so that one request overwrites another"),
    ],
)
def test_a_damaged_cache_is_named(cache, damage, message):
    """Layer, kind and place."""
    damage(cache)

    with pytest.raises(ModelRegression) as raised:
        assert_kv_cache_valid(cache, **SHAPE)

    assert f"the key-value cache is not valid (2 layers after 6 tokens): {message}" in str(raised.value)


def test_all_problems_are_listed(cache):
    """One a line; the cache counts its keys."""
    lose_a_slot(cache)
    set_nan(cache)

    report = inspect_kv_cache(cache, **SHAPE)

    assert [problem.split(":")[0] for problem in report.problems] == [
        "layer 0 keys",
        "layer 0 counts 5 tokens, 6 were read",
        "layer 1 values",
    ]
    assert len(str(report).splitlines()) == 3


def test_a_cache_must_have_the_length_heads_and_rows_that_are_claimed(cache):
    """Book-keeping and shapes, by all layers."""
    with pytest.raises(ModelRegression, match="layer 0 counts 6 tokens, 7 were read"):
        assert_kv_cache_valid(cache, **SHAPE | {"seq_len": 7})
    with pytest.raises(ModelRegression, match=re.escape("shape expected (2, 4, 6, 8) -> actual (2, 2, 6, 8)")):
        assert_kv_cache_valid(cache, **SHAPE | {"n_kv_heads": 4})
    with pytest.raises(ModelRegression, match=re.escape("shape expected (3, 2, 6, 8) -> actual (2, 2, 6, 8)")):
        assert_kv_cache_valid(cache, **SHAPE, batch_size=3)


def test_a_window_holds_the_last_slots(fresh):
    """Window of 4: the last 3 tokens wait for the next; a NaN in them is found, and `lens` counts from the start."""
    cache = filled(fresh("gemma3"))
    cache.layers[0].keys[0, 0, 2, 0] = torch.nan

    with pytest.raises(ModelRegression, match="first nan at row 0, head 0, slot 2, channel 0"):
        assert_kv_cache_valid(cache, **SHAPE)


def test_slots_never_written_must_be_untouched(fresh):
    """The canary of a static cache, and rows filled to different lengths."""
    cache = filled(fresh(), "StaticCache", max_cache_len=9)
    assert assert_kv_cache_valid(cache, **SHAPE).passed
    cache.layers[1].values[0, 1, 7, 2] = 0.5

    with pytest.raises(
        ModelRegression, match=r"layer 1 values: 1 numbers in slots never written are not 0, first 0\.5 a"
    ):
        assert_kv_cache_valid(cache, **SHAPE)

    ragged = [(torch.ones(2, 2, 6, 8), torch.ones(2, 2, 6, 8))]
    ragged[0][0][1, :, 4:], ragged[0][1][1, :, 4:] = -7.0, -7.0
    assert assert_kv_cache_valid(ragged, **SHAPE, lens=[6, 4], canary=-7.0).passed
    with pytest.raises(ModelRegression, match="32 numbers in slots never written are not 0, first -7 at row 1, head 0"):
        assert_kv_cache_valid(ragged, **SHAPE, lens=[6, 4])
    with pytest.raises(
        ModelRegression, match="16 numbers in slots never written are not -7, first 1 at row 0, head 0, s"
    ):
        assert_kv_cache_valid(ragged, **SHAPE, lens=[5, 4], canary=-7.0)


def test_requests_must_not_share_memory(llama, cache):
    """A fork that shares its tensors, and one that copies them."""
    import copy

    shallow = copy.copy(cache)

    with pytest.raises(
        ModelRegression, match=r"layer 0 keys, layer 0 values, .*: memory shared with other cache 1, so th"
    ):
        assert_kv_cache_valid(cache, **SHAPE, others=[filled(llama), shallow])
    assert assert_kv_cache_valid(cache, **SHAPE, others=[copy.deepcopy(cache)]).passed


def test_an_empty_cache_shows_nothing(llama):
    """No layer holds anything before the first token."""
    from transformers import DynamicCache

    with pytest.raises(
        InvalidComparison, match="cannot be judged: no layer holds keys and values, 2 more hold no keys"
    ):
        assert_kv_cache_valid(DynamicCache(config=llama.config), **SHAPE)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lens": [6]}, ValueError, "lens=[6]; expected a number from 0 to seq_len=6 for each of 2 rows"),
        ({"lens": [6, 7]}, ValueError, "lens=[6, 7]; expected a number from 0 to seq_len=6"),
        ({"head_dim": [8]}, ValueError, "head_dim has 1 numbers; expected one number, or one for each of 2 layers"),
    ],
)
def test_claims_that_do_not_fit_are_refused(cache, options, error, message):
    """Each with what would fit."""
    with pytest.raises(error, match=re.escape(message)):
        assert_kv_cache_valid(cache, **SHAPE | options)


def test_what_is_no_cache_is_refused():
    """A tensor is not one."""
    with pytest.raises(
        TypeError, match="cache is a Tensor; expected a key-value cache of transformers 5, or a list of p"
    ):
        assert_kv_cache_valid(torch.ones(2, 2, 6, 8), **SHAPE)
