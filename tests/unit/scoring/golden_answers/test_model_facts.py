"""Facts of a model version that tell two environments apart."""

from __future__ import annotations

import pytest

from pytest_llmval.fixtures.goldens.model_facts import model_facts
from pytest_llmval.settings.model import ModelSettings

FACTS = [
    ({"server": "transformers", "model": "x"}, {"model server": "transformers", "model dtype": "float32"}),
    ({"server": "scripted", "answers": "a.jsonl"}, {"model server": "scripted"}),
    (
        {"server": "openai", "model": "tiny", "url": "https://me:secret@host:8000/v1/?key=secret"},
        {"model server": "openai", "model name": "tiny", "model place": "https://host:8000/v1"},
    ),
    (
        {"server": "openai", "model": "tiny", "command": ("/opt/bin/serve", "--key", "secret")},
        {"model server": "openai", "model name": "tiny", "model place": "started by serve"},
    ),
    (
        {"server": "vllm", "model": "org/tiny", "dtype": "bfloat16", "revision": "main"},
        {
            "model server": "vllm",
            "model name": "org/tiny@main",
            "model place": "started by the run",
            "model dtype": "bfloat16",
        },
    ),
    (
        {"server": "vllm", "model": "tiny", "url": "http://host:1"},
        {"model server": "vllm", "model name": "tiny", "model place": "http://host:1"},
    ),
    ({"server": "litellm", "model": "maker/tiny"}, {"model server": "litellm", "model name": "maker/tiny"}),
    (
        {"server": "triton", "model": "tiny", "url": "http://host:1", "revision": "2"},
        {"model server": "triton", "model name": "tiny@2", "model place": "http://host:1"},
    ),
]


@pytest.mark.parametrize(("settings", "facts"), FACTS)
def test_a_version_has_the_facts_that_its_settings_decide(settings, facts):
    """Of a server its name and place, without credentials; a dtype only where somebody decides it."""
    assert model_facts(ModelSettings("v", **settings)) == facts


def test_a_folder_is_named_by_its_last_part(tmp_path):
    """Where it lies is another place on another machine."""
    (tmp_path / "tiny").mkdir()

    assert model_facts(ModelSettings("v", "vllm", str(tmp_path / "tiny")))["model name"] == "tiny"
