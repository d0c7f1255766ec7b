"""Tokenizer and model: rows for every id, and the same special ids."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.tokenizer.model_vocabulary import assert_vocab_compatible


def model(rows=1536, generation=None, **ids):
    """Something with the attributes of a model of transformers that are looked at."""
    config = SimpleNamespace(vocab_size=rows, **({"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0} | ids))
    embeddings = SimpleNamespace(weight=SimpleNamespace(shape=(rows, 8)))
    return SimpleNamespace(
        config=config,
        generation_config=SimpleNamespace(**generation) if generation else None,
        get_input_embeddings=lambda: embeddings,
    )


def test_a_tokenizer_that_fits(v1):
    """By model, by config, and by the example model's own files."""
    from transformers import AutoConfig

    assert assert_vocab_compatible(model(generation={"eos_token_id": [2, 7]}), v1).agreeing == ("bos", "eos", "pad")
    assert assert_vocab_compatible(model(rows=1600), v1).passed
    report = assert_vocab_compatible(AutoConfig.from_pretrained(v1.name_or_path), v1)
    assert str(report) == "1536 tokens fit 1536 embedding rows; bos, eos, pad agree"


def test_a_tokenizer_larger_than_the_embedding(v1):
    """A token was added and the embedding not resized."""
    v1.add_tokens(["<|tool|>"])

    with pytest.raises(ModelRegression) as raised:
        assert_vocab_compatible(model(), v1)

    assert str(raised.value) == (
        "tokenizer and model do not fit\n"
        "  the tokenizer has 1537 tokens, the embedding 1536 rows; ids from 1536 on, such as 1536 ('<|tool|>'), have "
        "none: resize_token_embeddings(1537), or take the model's own tokenizer"
    )


def test_an_output_embedding_that_was_not_resized(v1):
    """The model could read the last tokens, and never say them."""
    given = model()
    given.get_output_embeddings = lambda: SimpleNamespace(weight=SimpleNamespace(shape=(1500, 8)))

    with pytest.raises(ModelRegression, match="the embedding 1500 rows; ids from 1500 on"):
        assert_vocab_compatible(given, v1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (model(eos_token_id=3), "eos_token_id: tokenizer 2, config 3"),
        (model(generation={"eos_token_id": [5, 4]}), "eos_token_id: tokenizer 2, generation config 5, 4"),
        (model(generation={"eos_token_id": [5, 4]}), "eos_token_id: config 2, generation config 5, 4"),
        (model(bos_token_id=0), "bos_token_id: tokenizer 1, config 0"),
        (model(pad_token_id=-1), "pad_token_id -1 of the config is no id from 0 to 1535"),
        (
            model(generation={"pad_token_id": 1600}),
            "pad_token_id 1600 of the generation config is no id from 0 to 1535",
        ),
    ],
)
def test_special_ids_that_disagree(v1, given, words):
    """Each pair of sides is named with its ids."""
    with pytest.raises(ModelRegression) as raised:
        assert_vocab_compatible(given, v1)

    assert words in str(raised.value)


def test_what_states_no_id_is_not_compared(v1):
    """None is no disagreement."""
    silent = model(bos_token_id=None, eos_token_id=None, pad_token_id=None)

    assert str(assert_vocab_compatible(silent, v1)) == "1536 tokens fit 1536 embedding rows; no special ids agree"


def test_a_model_that_does_not_say_its_size(v1):
    """Nothing can be decided."""
    with pytest.raises(
        InvalidComparison, match=r"'SimpleNamespace' has neither get_input_embeddings\(\) nor vocab_size"
    ):
        assert_vocab_compatible(SimpleNamespace(), v1)


def test_a_vocabulary_with_holes(v1, remade):
    """Few tokens, one id too large."""

    def hole(data):
        vocabulary = data["model"]["vocab"]
        vocabulary["Q"] = 5000

    changed = remade(hole)

    with pytest.raises(ModelRegression, match=r"such as 5000 \('Q'\), have none"):
        assert_vocab_compatible(model(), changed)
    assert json.dumps(len(changed)) == "1536"
