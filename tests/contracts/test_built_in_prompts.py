"""The built-in prompts suit any vocabulary and context."""

from __future__ import annotations

import pytest

from pytest_llmval.contracts.prompts import built_in_prompts
from pytest_llmval.errors import InvalidComparison


class Vocabulary:
    """A tokenizer, as far as prompts are concerned."""

    def __init__(self, size, special):
        self.size = size
        self.added_tokens_decoder = dict.fromkeys(special)

    def __len__(self):
        return self.size


def test_ordinary_ids_in_ragged_rows(random_model):
    """At least 100 tokens, none special, rows of different lengths, the same for the same seed."""
    model = random_model(bos_token_id=1, eos_token_id=[2, 3])

    rows = built_in_prompts(model)

    assert [len(row) for row in rows] == [5, 17, 33, 48]
    assert {token for row in rows for token in row} <= set(range(120)) - {1, 2, 3}
    assert rows == built_in_prompts(model)
    assert rows != built_in_prompts(model, seed=1)


def test_ids_that_the_tokenizer_knows(random_model):
    """Neither ids beyond the tokenizer, though the embedding has rows for them, nor added tokens."""
    rows = built_in_prompts(random_model(), Vocabulary(50, special=range(10)))

    assert {token for row in rows for token in row} <= set(range(10, 50))


def test_a_short_context(random_model):
    """Rows are at most half of it, and more of them."""
    rows = built_in_prompts(random_model(max_position_embeddings=16))

    assert max(map(len, rows)) == 8
    assert sum(map(len, rows)) >= 100


def test_a_vocabulary_of_special_tokens(random_model):
    """There is nothing to draw from."""
    with pytest.raises(InvalidComparison, match="a vocabulary of 10 leaves 0 ordinary ids; expected at least 2"):
        built_in_prompts(random_model(), Vocabulary(10, special=range(10)))
