"""The litellm library, imported on first use: that takes seconds and 165 MB."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.remote.budget import MILLION, Price
from pytest_llmval.servers.remote.payloads import CHAT, COMPLETIONS

if TYPE_CHECKING:
    from pytest_llmval.settings import ModelSettings

ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_MODE": "PRODUCTION",
}
"""Prices and headers from its own files, not from the network; no `.env` file that changes the environment of tests."""
OPENAI, OPENAI_COMPLETIONS = "openai", "text-completion-openai"
COSTS = ("input_cost_per_token", "output_cost_per_token")


def library(model: ModelSettings) -> Any:
    """The module `litellm`.

    Raises:
        ServerError: If it is not installed.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import litellm
    except ImportError as error:
        msg = f"version {model.name!r} needs litellm: pip install pytest-llmval[litellm]"
        raise ServerError(msg) from error
    litellm.suppress_debug_info = True  # it prints where to get help
    litellm.disable_streaming_logging = True  # it starts an event loop for each piece, which no latency is right with
    return litellm


@functools.cache
def warm_up(litellm: Any) -> None:
    """Have it load what it loads with its first answer, which would be a second of that answer's time.

    Nothing is sent: the answer is given with the request.
    """
    asked = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "?"}], "mock_response": "!"}
    litellm.completion(**asked, caching=False)
    list(litellm.completion(**asked, caching=False, stream=True))


@dataclass(frozen=True, slots=True)
class Provider:
    """Who answers for a model, as litellm sees it."""

    model: str
    """Name of the model at the provider."""
    name: str
    """`openai`, `anthropic`, `hosted_vllm`, …"""
    key: str | None
    """The key, where it was given or litellm found it beforehand."""
    url: str | None
    """The base URL, where it was given or litellm knows it beforehand."""
    paths: frozenset[str]
    """The interfaces that litellm asks as they are. To the other it translates: a prompt becomes a message, or the
    messages become one prompt, and no longer is asked what the case says."""


def provider_of(model: ModelSettings, key: str = "") -> Provider:
    """Who answers for a model.

    Raises:
        ServerError: If litellm knows no such provider, or is not installed.
    """
    litellm = library(model)
    try:
        found = litellm.get_llm_provider(model.model, api_base=model.url or None, api_key=key or None)
    except litellm.BadRequestError as error:
        msg = (
            f"version {model.name!r}: litellm knows no provider of model = {model.model!r}; expected the provider "
            "before the name, as in 'openai/gpt-4.1-mini', or 'openai/NAME' for a server of one's own at url"
        )
        raise ServerError(msg) from error
    name, provider, given_key, url = found
    return Provider(name, provider, given_key or key or None, url or model.url or None, _paths(litellm, name, provider))


def _paths(litellm: Any, name: str, provider: str) -> frozenset[str]:
    """As `litellm.text_completion` and `litellm.completion` decide it."""
    if provider == OPENAI_COMPLETIONS:
        return frozenset({COMPLETIONS})
    is_openai = provider == OPENAI and name not in litellm.open_ai_chat_completion_models
    if is_openai or provider in litellm.openai_text_completion_compatible_providers:
        return frozenset({COMPLETIONS, CHAT})
    return frozenset({CHAT})


def price_of(model: ModelSettings) -> Price | None:
    """What tokens of a model cost by the map that litellm brings; None where it does not say.

    Also None at a URL of one's own, whatever the name: what answers there costs what its owner says. Where a provider
    asks for more above some number of tokens, or less for what it remembers, the price is the one without that.

    Raises:
        ServerError: If litellm is not installed.
    """
    if model.url:
        return None
    litellm = library(model)
    try:
        found = litellm.get_model_info(model.model)["key"]
    except Exception:  # noqa: BLE001 - which one it raises for an unknown model depends on its version
        return None
    # It reports 0 for models that are not in the map or have another kind of price there.
    costs = [litellm.model_cost.get(found, {}).get(name) for name in COSTS]
    return None if None in costs else Price(*(cost * MILLION for cost in costs))
