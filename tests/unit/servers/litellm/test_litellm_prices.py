"""Prices from the map that litellm brings."""

from __future__ import annotations

import pytest

from pytest_llmval.servers.exchange import Usage
from pytest_llmval.servers.remote.litellm_library import price_of
from pytest_llmval.settings import ModelSettings

pytestmark = pytest.mark.servers


def hosted(model, url=""):
    """A version by its litellm name."""
    return ModelSettings(name="hosted", server="litellm", model=model, url=url)


@pytest.mark.parametrize("name", ["gpt-4o-mini", "openai/gpt-4o-mini"])
def test_the_price_of_a_known_model(name):
    """0.15 and 0.60 US dollars a million: 1000 tokens in and 500 out are 0.00015 + 0.0003 (openai.com/api/pricing)."""
    assert price_of(hosted(name)).of(Usage(1000, 500)) == pytest.approx(0.00045, rel=1e-12)


def test_another_host_has_another_price():
    """A model of the same name at a URL of one's own costs what its owner says."""
    assert price_of(hosted("openai/gpt-4o-mini", "http://127.0.0.1:8000/v1")) is None


@pytest.mark.parametrize(
    "name", ["openai/tiny", "tiny", "huggingface/nobody/model", "dashscope/qwen-flash", "ollama/nobody"]
)
def test_a_price_that_nobody_said_is_none(name):
    """Not in the map, or there in steps; litellm itself reports 0 for the last three."""
    assert price_of(hosted(name)) is None
