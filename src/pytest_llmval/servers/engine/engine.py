"""The server in this process: requests are sorted, batched, computed and answered in order."""

from __future__ import annotations

import dataclasses
import functools
import gc
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.engine.batching import plan_batches
from pytest_llmval.servers.engine.documents import score_documents
from pytest_llmval.servers.engine.encoding import encode, encode_prompt, render
from pytest_llmval.servers.engine.generation import generate, prepare_row
from pytest_llmval.servers.engine.likelihood import choose, prepare_pair, prepare_question, score_pairs
from pytest_llmval.servers.engine.loading import load_model, load_tokenizer
from pytest_llmval.servers.engine.network import Network
from pytest_llmval.servers.exchange import Response, Timing
from pytest_llmval.servers.perplexity_protocol import WHOLE
from pytest_llmval.servers.server import Capabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from pytest_llmval.servers.engine.pair import Pair
    from pytest_llmval.servers.exchange import DocumentLikelihood, LogLikelihood, Request
    from pytest_llmval.servers.perplexity_protocol import Windows
    from pytest_llmval.settings import ModelSettings

    Prepare = Callable[[Network, Any, Request], Any]
    """A request made ready for its batch, or RequestRefused; `ids` of the result is what the model reads first."""
    Compute = Callable[[Network, list[Any]], list[Response]]
    """The responses of one batch of such tasks."""


class TransformersEngine:
    """A Hugging Face model in this process. Nothing is loaded before it is needed."""

    name = "transformers"
    capabilities = Capabilities(
        chat=True, logprobs=True, loglikelihood=True, logits=True, seed=True, stop=True, token_ids=True
    )

    def __init__(self, settings: ModelSettings, batch_size: int = 32) -> None:
        """An engine for a model version that computes at most `batch_size` rows together."""
        self._settings = settings
        self._batch_size = batch_size

    @functools.cached_property
    def tokenizer(self) -> Any:
        """The model's transformers tokenizer; needs no weights."""
        return load_tokenizer(self._settings)

    @functools.cached_property
    def network(self) -> Network:
        """The model with its weights, loaded on first need."""
        return Network(load_model(self._settings))

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """One response a request, in order; what cannot be answered says why in `error`."""
        generated = {at: request for at, request in enumerate(requests) if not request.choices}
        chosen = {at: request for at, request in enumerate(requests) if request.choices}
        responses = self._answer_group(generated, prepare_row, generate)
        responses |= self._answer_group(chosen, prepare_question, choose)
        return [responses[at] for at in range(len(requests))]

    def _answer_group(self, requests: dict[int, Request], prepare: Prepare, compute: Compute) -> dict[int, Response]:
        responses: dict[int, Response] = {}
        tasks: dict[int, Any] = {}
        for at, request in requests.items():
            try:
                tasks[at] = prepare(self.network, self.tokenizer, request)
            except RequestRefused as refusal:
                responses[at] = Response.failed(str(refusal))
        places = list(tasks)
        for batch in plan_batches([task.ids for task in tasks.values()], self._batch_size):
            members = [places[number] for number in batch]
            found = self._compute_batch([tasks[at] for at in members], compute)
            responses |= dict(zip(members, found, strict=True))
        return responses

    def _compute_batch(self, tasks: list[Any], compute: Compute) -> list[Response]:
        """The responses of one batch; when it breaks, each task alone, so that only the culprit fails."""
        broken = ""
        try:
            return _timed(compute, self.network, tasks)
        except Exception as error:  # noqa: BLE001 - whatever a model raises: out of memory, a faulty kernel
            broken = f"{type(error).__name__}: {error}"
        _free_memory()
        if len(tasks) == 1:
            return [Response.failed(f"the model failed on this request: {broken}")]
        return [response for task in tasks for response in self._compute_batch([task], compute)]

    @torch.inference_mode()
    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        """The likelihood of each continuation after its context.

        Raises:
            RequestRefused: If a pair cannot be scored; the text says which.
        """
        prepared = [self._prepare_pair(at, *pair) for at, pair in enumerate(pairs)]
        return score_pairs(self.network, prepared, self._batch_size)

    def _prepare_pair(self, at: int, context: str, continuation: str) -> Pair:
        try:
            return prepare_pair(self.network, self.tokenizer, context, continuation)
        except RequestRefused as refusal:
            msg = f"pair {at} ({context[-40:]!r}, {continuation[:40]!r}): {refusal}"
            raise RequestRefused(msg) from refusal

    @torch.inference_mode()
    def document_likelihood(self, texts: Sequence[str], windows: Windows = WHOLE) -> list[DocumentLikelihood]:
        """The likelihood of each whole text, every token counted once; 0.0 over 0 tokens for an empty one.

        Raises:
            ValueError: If the model has fewer positions than a window.
        """
        return score_documents(self.network, self.tokenizer, texts, self._batch_size, windows)

    @torch.inference_mode()
    def logits(self, prompt: str) -> np.ndarray:
        """Logits of every prompt position, float32, `[tokens, vocabulary]`.

        Raises:
            RequestRefused: If the prompt is empty or longer than the model's context.
        """
        ids, room = encode_prompt(self.tokenizer, prompt), self.network.context_length
        if room is not None and len(ids) > room:
            msg = f"prompt has {len(ids)} tokens; the model's context takes at most {room}"
            raise RequestRefused(msg)
        columns, mask = self.network.padded([ids], "right")
        return self.network.logits(columns, mask)[0].float().cpu().numpy()

    def count_tokens(self, prompt: str) -> int:
        """Tokens of a prompt, special tokens included; loads no weights."""
        text, special = render(self.tokenizer, prompt)
        return len(encode(self.tokenizer, text, special=special))

    def close(self) -> None:
        """Forget tokenizer and weights; asking again loads them again."""
        self.__dict__.pop("network", None)
        self.__dict__.pop("tokenizer", None)
        _free_memory()


@torch.inference_mode()
def _timed(compute: Compute, network: Network, tasks: list[Any]) -> list[Response]:
    """The responses of one batch, each with the batch's time and size."""
    started_at, start = datetime.now(UTC).isoformat(), time.perf_counter()
    responses = compute(network, tasks)
    timing = Timing(started_at, time.perf_counter() - start, len(tasks))
    return [dataclasses.replace(response, timing=timing) for response in responses]


def _free_memory() -> None:
    """Give back what a failed batch or a closed model held on the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
