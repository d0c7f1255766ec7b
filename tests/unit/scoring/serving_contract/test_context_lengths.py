"""The context length as configurations have it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from pytest_llmval.scoring.serving.contract.context import context_length_of


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({"max_position_embeddings": 512}, 512),
        ({"n_positions": 1024}, 1024),
        ({"text_config": {"max_position_embeddings": 8192}}, 8192),
        ({"hidden_size": 64}, None),
    ],
)
def test_the_config_beside_the_tokenizer_says(tmp_path, config, length):
    """Under the names that models use; one that does not say has none."""
    (tmp_path / "config.json").write_text(json.dumps(config))

    assert context_length_of(SimpleNamespace(name_or_path=str(tmp_path))) == length


def test_a_model_of_the_hub_does_not_say():
    """There is no folder to look in."""
    assert context_length_of(SimpleNamespace(name_or_path="owner/name")) is None
