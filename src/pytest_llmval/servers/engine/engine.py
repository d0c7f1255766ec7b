"""The server in this process: requests are sorted, batched, computed and answered in order."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import torch

from pytest_llmval.errors import CapabilityMissing, RequestRefused
from pytest_llmval.servers.engine.batching import plan_batches
from pytest_llmval.servers.engine.documents import score_documents
from pytest_llmval.servers.engine.encoding import encode, encode_prompt, render
from pytest_llmval.servers.engine.generation import prepare_task
from pytest_llmval.servers.engine.likelihood import choose, prepare_pair, prepare_question, score_pairs
from pytest_llmval.servers.engine.loading import load_model, load_tokenizer
from pytest_llmval.servers.engine.memory import peak_memory
from pytest_llmval.servers.engine.network import Network
from pytest_llmval.servers.engine.recovery import failure, free_memory, reason, refuse_without_memory
from pytest_llmval.servers.engine.running import generate
from pytest_llmval.servers.exchange import Response, Timing
from pytest_llmval.servers.perplexity_protocol import WHOLE
from pytest_llmval.servers.server import LOCAL_MODEL, Location

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from pytest_llmval.servers.engine.encoding import Prompt
    from pytest_llmval.servers.engine.generation import Task
    from pytest_llmval.servers.engine.likelihood import Question
    from pytest_llmval.servers.engine.pair import Pair
    from pytest_llmval.servers.exchange import DocumentLikelihood, LogLikelihood, Request
    from pytest_llmval.servers.perplexity_protocol import Windows
    from pytest_llmval.servers.server import Finding
    from pytest_llmval.settings import ModelSettings

    Prepare = Callable[[Network, Any, Request], Any]
    """A request made ready, or RequestRefused."""
    Answer = Callable[[list[Any]], list[Response]]
    """The responses to requests made ready, in order."""


class TransformersEngine:
    """A Hugging Face model in this process. Nothing is loaded before it is needed."""

    name = "transformers"
    findings: tuple[Finding, ...] = ()
    capabilities = LOCAL_MODEL

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
        """One response a request, in order; what cannot be answered says why in `error`.

        Raises:
            ServerError: If there is no memory to compute any of them.
            CapabilityMissing: If JSON of a schema is asked for.
        """
        if any(request.decoding.json_schema is not None for request in requests):
            self._lack("json_schema", "it writes what the model prefers")
        generated = {at: request for at, request in enumerate(requests) if not request.choices}
        chosen = {at: request for at, request in enumerate(requests) if request.choices}
        responses = self._answer_group(generated, prepare_task, self._generate)
        responses |= self._answer_group(chosen, prepare_question, self._choose)
        answers = [responses[at] for at in range(len(requests))]
        refuse_without_memory(answers)
        return answers

    def _answer_group(self, requests: dict[int, Request], prepare: Prepare, answer: Answer) -> dict[int, Response]:
        responses: dict[int, Response] = {}
        tasks: dict[int, Any] = {}
        for at, request in requests.items():
            try:
                tasks[at] = prepare(self.network, self.tokenizer, request)
            except RequestRefused as refusal:
                responses[at] = Response.failed(str(refusal))
        return responses | dict(zip(tasks, answer(list(tasks.values())), strict=True))

    def _generate(self, tasks: list[Task]) -> list[Response]:
        return generate(self.network, tasks, self._batch_size) if tasks else []

    def _choose(self, questions: list[Question]) -> list[Response]:
        responses: dict[int, Response] = {}
        for batch in plan_batches([question.ids for question in questions], self._batch_size):
            found = self._choose_batch([questions[at] for at in batch])
            responses |= dict(zip(batch, found, strict=True))
        return [responses[at] for at in range(len(questions))]

    def _choose_batch(self, questions: list[Question]) -> list[Response]:
        """The responses of one batch; when it breaks, each question alone, so that only the culprit fails."""
        broken = ""
        try:
            return _timed_choices(self.network, questions)
        except Exception as error:  # noqa: BLE001 - whatever a model raises: out of memory, a faulty kernel
            broken = reason(error)
        free_memory()
        if len(questions) == 1:
            return [failure(broken)]
        return [response for question in questions for response in self._choose_batch([question])]

    def answer_in_pieces(self, requests: Sequence[Request]) -> list[Response]:  # noqa: ARG002 - the protocol has it
        """Not available: an answer comes with its batch."""
        self._lack("streaming", "answers come with their batch")

    @torch.inference_mode()
    def loglikelihood(self, pairs: Sequence[tuple[str, str]], *, unverified: bool = False) -> list[LogLikelihood]:  # noqa: ARG002 - its own are right
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

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of a prompt, special tokens and those of the chat template included; loads no weights."""
        text, special = render(self.tokenizer, prompt)
        return len(encode(self.tokenizer, text, special=special))

    def location(self) -> Location:
        """The process that computes."""
        return Location(pid=os.getpid())

    def restart(self) -> None:
        """Not available: other versions may be computed in the same process."""
        self._lack("restart", "the engine computes in a process of the run")

    def _lack(self, capability: str, reason: str) -> NoReturn:
        msg = f"the {self.name} server of {self._settings.name!r} lacks the capability {capability!r}: {reason}"
        raise CapabilityMissing(msg)

    def peak_memory(self) -> int | None:
        """The most bytes that tensors took on the accelerator, else that the process took."""
        return peak_memory(self.network.device)

    def close(self) -> None:
        """Forget tokenizer and weights; asking again loads them again."""
        self.__dict__.pop("network", None)
        self.__dict__.pop("tokenizer", None)
        if torch.cuda.is_available():  # elsewhere the process that ends gives back what it held
            free_memory()


@torch.inference_mode()
def _timed_choices(network: Network, questions: list[Question]) -> list[Response]:
    """The responses of one batch, each with the batch's time and size."""
    started_at, start = datetime.now(UTC).isoformat(), time.perf_counter()
    responses = choose(network, questions)
    timing = Timing(started_at, time.perf_counter() - start, len(questions))
    return [dataclasses.replace(response, timing=timing) for response in responses]
