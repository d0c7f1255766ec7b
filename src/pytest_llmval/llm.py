"""LLM: the handle on one model version that tests get as `llm` and `baseline_llm`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from pytest_llmval.asking import ask_recorded
from pytest_llmval.case_sets.decoding import decoding_from
from pytest_llmval.case_sets.message import messages_from
from pytest_llmval.current import current_test
from pytest_llmval.errors import CapabilityMissing
from pytest_llmval.records.record import Record, record_key, to_json
from pytest_llmval.run import now
from pytest_llmval.scoring.tokens.corpus import corpus_perplexity
from pytest_llmval.servers.exchange import Request, count_flaws, spent_on
from pytest_llmval.servers.perplexity_protocol import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pytest_llmval.run import Run
    from pytest_llmval.servers.exchange import Choice, DocumentLikelihood, LogLikelihood, Response
    from pytest_llmval.servers.perplexity_protocol import Windows
    from pytest_llmval.servers.server import Capabilities, Finding, Server
    from pytest_llmval.settings import ModelSettings


class LLM:
    """A model version, ready to be asked. Each call measures; only `llm.recorded` takes anything from a record."""

    def __init__(self, run: Run, model: ModelSettings, *, reuses: bool = False) -> None:
        self._run = run
        self._model = model
        self._reuses = reuses
        self._calls = 0

    def __repr__(self) -> str:
        """Which version this is."""
        return f"<llm {self.version}: {self._model.server} {self._model.model}>"

    @property
    def version(self) -> str:
        """Name of the model version."""
        return self._model.name

    @property
    def fingerprint(self) -> str:
        """Digest of everything that makes this version answer as it does."""
        return self._run.fingerprint(self._model).digest

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do."""
        return self._server.capabilities

    @property
    def findings(self) -> tuple[Finding, ...]:
        """How its capabilities were found, one line each when printed; empty for one that is known to have them."""
        return self._server.findings

    @property
    def peak_memory(self) -> int | None:
        """The most bytes it took so far: of the accelerator where it computes on one, else of main memory.

        That of a local engine is its process's, which versions share under xdist; None for a server of others.
        """
        return self._server.peak_memory()

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer object."""
        return self._server.tokenizer

    @property
    def recorded(self) -> LLM:
        """The same version, of which `generate`, `chat`, `choose` and `answer` measure each request once.

        A request that `llm.recorded` was given before is answered from the records: those of this run, and for local
        weights those of earlier runs, also with `--llmval-offline`. What Hypothesis repeats while it shrinks an example
        thus costs nothing. Each request is computed alone. Streams, log-likelihoods and logits are always measured.
        """
        return LLM(self._run, self._model, reuses=True)

    @property
    def _server(self) -> Server:
        return self._run.server(self._model)

    @overload
    def generate(
        self, prompt: str, *, n: int = 1, seed: int | None = None, stream: bool = False, **decoding: object
    ) -> Response: ...
    @overload
    def generate(
        self, prompt: list[str], *, n: int = 1, seed: int | None = None, stream: bool = False, **decoding: object
    ) -> list[Response]: ...
    def generate(
        self, prompt: str | list[str], *, n: int = 1, seed: int | None = None, stream: bool = False, **decoding: object
    ) -> Response | list[Response]:
        """Continue a prompt, or several together.

        Args:
            prompt: Plain text; no chat template is applied.
            n: Samples a prompt; their texts are in `response.samples`.
            seed: Seed of the first sample, the others count up; by default the run's, or one of its own in each
                trial of a repeated test. Without effect when greedy.
            stream: Have the answer piece by piece, for the time of its first token.
            **decoding: `max_tokens`, `temperature`, `top_p`, `top_k`, `stop`, `logprobs`, `json_schema`.

        Raises:
            TypeError: If the prompt is neither text nor texts, or a decoding parameter is unknown.
        """
        if isinstance(prompt, str):
            return self._ask([Request(prompt)], n, seed, decoding, stream=stream)[0]
        texts: object = prompt  # callers may not check types
        if not isinstance(texts, list | tuple) or not all(isinstance(each, str) for each in texts):
            msg = f"prompt={prompt!r:.80}: expected text or a list of texts; conversations go to .chat()"
            raise TypeError(msg)
        return self._ask([Request(each) for each in prompt], n, seed, decoding, stream=stream)

    def chat(
        self, messages: Sequence[Any], *, n: int = 1, seed: int | None = None, stream: bool = False, **decoding: object
    ) -> Response | list[Response]:
        """Answer a conversation, or several together, through the model's own chat template.

        Args:
            messages: `[{"role": …, "content": …}]`, or a list of such lists.
            n: As for `generate`.
            seed: As for `generate`.
            stream: As for `generate`.
            **decoding: As for `generate`.

        Raises:
            ValueError: If a message has another shape.
        """
        if messages and isinstance(messages[0], list | tuple):
            asked = [Request(messages_from(each)) for each in messages]
            return self._ask(asked, n, seed, decoding, stream=stream)
        return self._ask([Request(messages_from(messages))], n, seed, decoding, stream=stream)[0]

    def answer(self, request: Request) -> Response:
        """The answer to a request as it is: its prompt or options, its decoding and its seed."""
        return self._measured([request], varies=False)[0]

    def _ask(
        self, requests: list[Request], n: int, seed: int | None, decoding: dict[str, object], *, stream: bool
    ) -> list[Response]:
        if n < 1:
            msg = f"n={n!r}: expected at least 1"
            raise ValueError(msg)
        first = trial_seed(self._run.settings.seed, _trial()) if seed is None else seed
        shared = decoding_from(**decoding)
        asked = [replace(each, decoding=shared, seed=first + sample) for each in requests for sample in range(n)]
        answered = self._measured(asked, varies=seed is None and shared.temperature > 0, stream=stream)
        return [_joined(answered[start : start + n]) for start in range(0, len(answered), n)]

    def _measured(self, requests: list[Request], *, varies: bool, stream: bool = False) -> list[Response]:
        responses = self._answered(requests, stream=stream)
        test = current_test()
        if test is not None:
            test.note_request(varies=varies)
            test.unanswered += [response.error for response in responses if response.error is not None]
        return responses

    def _answered(self, requests: list[Request], *, stream: bool) -> list[Response]:
        # An audit breaks the model in memory, behind the fingerprint that records go by.
        if self._reuses and not stream and self._run.settings.audit_folder is None:
            return ask_recorded(self._run, self._model, requests)
        responses = self._server.answer_in_pieces(requests) if stream else self._server.answer(requests)
        for request, response in zip(requests, responses, strict=True):
            self._keep(request, response)
        counts = count_flaws(responses) | spent_on(responses)
        self._run.note({"event": "called", "version": self.version, "requests": len(requests), **counts})
        return [replace(each, request=request) for request, each in zip(requests, responses, strict=True)]

    def _keep(self, request: Request, response: Response) -> None:
        """Record a direct call; it is never taken for the answer to another one."""
        test = current_test()
        self._run.store.open()
        self._calls += 1
        record = Record(
            key=record_key(self.fingerprint, request, f"{self._run.id}/{self._run.worker}", self._calls),
            version=self.version,
            fingerprint=self.fingerprint,
            case_set="",
            case_id="",
            trial=_trial(),
            request=request,
            response=response,
            recorded_at=now(),
            run_id=self._run.id,
            test=test.nodeid if test else "",
        )
        self._run.store.append(self._run.id, f"responses/calls-{self._run.worker}.jsonl", to_json(record))

    def loglikelihood(self, context: str, continuation: str, *, unverified: bool = False) -> LogLikelihood:
        """How probable `continuation` is right after `context`; no delimiter is added between them.

        Args:
            context: What stands before, at least one token.
            continuation: What is scored.
            unverified: Ask a server also when its numbers were found wrong, to see what they are.
        """
        if not unverified:
            self._require("loglikelihood")
        return self._server.loglikelihood([(context, continuation)], unverified=unverified)[0]

    def choose(self, context: str | Sequence[Any], choices: Sequence[str]) -> Choice:
        """The most probable of several texts after a context, which may be a conversation.

        Raises:
            ValueError: If the server cannot score them; the text says why.
        """
        self._require("loglikelihood")
        if isinstance(choices, str) or not choices:
            msg = f"choices={choices!r}: expected a list of at least one text"
            raise ValueError(msg)
        prompt = context if isinstance(context, str) else messages_from(context)
        response = self._measured([Request(prompt, tuple(choices))], varies=False)[0]
        if response.choice is None:
            msg = f"no choice: {response.error}"
            raise ValueError(msg)
        return response.choice

    def document_likelihood(self, texts: Sequence[str], windows: Windows = WHOLE) -> list[DocumentLikelihood]:
        """How probable each whole text is.

        Raises:
            ValueError: If the model cannot read windows of that size.
        """
        self._require("loglikelihood")
        return self._server.document_likelihood(texts, windows)

    def perplexity(self, texts: str | Sequence[str], *, window: int | None = None, stride: int | None = None) -> float:
        """Perplexity over all tokens of the texts together: exp of the mean negative logprob a token.

        `corpus_perplexity(llm, texts)` gives it with its interval, bits per byte and the protocol.

        Args:
            texts: One text or several.
            window: Most tokens read at once; by default as many as the model has positions.
            stride: Tokens scored by each window after the first; by default `window`.

        Raises:
            ValueError: If there is no token, a log-likelihood is NaN, or the window does not fit the model.
        """
        documents = [texts] if isinstance(texts, str) else list(texts)
        return corpus_perplexity(self, documents, window=window, stride=stride).perplexity

    def logits(self, prompt: str) -> np.ndarray:
        """Logits at every prompt position, float32, shape `[tokens, vocabulary]`."""
        self._require("logits")
        return self._server.logits(prompt)

    def _require(self, capability: str) -> None:
        server = self._server
        if not getattr(server.capabilities, capability):
            seen = next((f": {each.evidence}" for each in server.findings if each.name == capability), "")
            msg = f"the {server.name} server of {self.version!r} lacks the capability {capability!r}{seen}"
            raise CapabilityMissing(msg)


def _trial() -> int:
    """Number of the trial that runs now; 0 in a test that is not repeated."""
    test = current_test()
    return (test.trial or 0) if test else 0


def trial_seed(seed: int, trial: int) -> int:
    """The default seed of direct calls in one trial of a test: the run's own in the first.

    >>> trial_seed(7, 0), trial_seed(7, 1) != trial_seed(8, 1)
    (7, True)
    """
    if trial == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/trial {trial}".encode()).digest()[:4], "big")


def _joined(samples: list[Response]) -> Response:
    if len(samples) == 1:
        return samples[0]
    return replace(samples[0], samples=tuple(sample.text for sample in samples))
