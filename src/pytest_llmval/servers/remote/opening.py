"""The remote server of a version, with its way there, its limits and its price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.servers.reference import Reference
from pytest_llmval.servers.remote.budget import Account, Price
from pytest_llmval.servers.remote.endpoint import Standing, Started
from pytest_llmval.servers.remote.http_sender import HttpSender
from pytest_llmval.servers.remote.limiter import Limiter, Limits
from pytest_llmval.servers.remote.openai import OpenAIServer
from pytest_llmval.servers.remote.scoring import ByEcho, ByPromptLogprobs
from pytest_llmval.servers.remote.transport import Patience, Transport

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmval.servers.remote.budget import Purse
    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.sending import Sender
    from pytest_llmval.servers.server import Server
    from pytest_llmval.settings import ModelSettings


def open_remote(model: ModelSettings, purse: Purse, log: Path) -> Server:
    """A server of a version that is asked; nothing is sent or started yet.

    Args:
        model: The version.
        purse: The money of the run.
        log: Where a server writes that has to be started.
    """
    if model.server == "litellm":
        from pytest_llmval.servers.remote.litellm_sender import LitellmSender

        sender = LitellmSender(model)
        transport = transport_over(model, sender, Account(purse, price(model)))
        return OpenAIServer(
            sender.endpoint,
            transport,
            reference=Reference(model),
            streams=model.streams,
            options=model.options,
            name=model.server,
        )
    endpoint = _endpoint(model, log)
    if model.server == "triton":
        from pytest_llmval.servers.remote.triton import open_triton

        return open_triton(model, endpoint, Account(purse, price(model)))
    transport = transport_over(model, HttpSender(endpoint, model.concurrency), Account(purse, price(model)))
    reference = Reference(model)
    scoring = ByPromptLogprobs(reference) if model.server == "vllm" else ByEcho()
    return OpenAIServer(
        endpoint,
        transport,
        reference=reference,
        scoring=scoring,
        streams=model.streams,
        options=model.options,
        name=model.server,
    )


def _endpoint(model: ModelSettings, log: Path) -> Endpoint:
    if model.is_started:
        from pytest_llmval.servers.remote.launching import launched, served_name

        path = "" if model.server == "triton" else "/v1"
        return Started(model.name, served_name(model), launched(model, log), path, model.api_key_env)
    return Standing(model.name, model.url, model.model, model.api_key_env)


def transport_over(model: ModelSettings, sender: Sender, account: Account) -> Transport:
    """The way to a version, with its limits."""
    limits = Limits(model.requests_per_minute, model.tokens_per_minute, model.concurrency)
    patience = Patience(attempts=model.attempts, timeout=model.timeout)
    return Transport(model.name, sender, limiter=Limiter(limits), patience=patience, account=account)


def price(model: ModelSettings) -> Price | None:
    """What tokens of a version cost: as was said, nothing for a server of one's own, else as litellm knows it."""
    if model.input_price is not None and model.output_price is not None:
        return Price(model.input_price, model.output_price)
    if model.is_free:
        return Price(0.0, 0.0)
    if model.server != "litellm":
        return None
    from pytest_llmval.servers.remote.litellm_library import price_of

    return price_of(model)
