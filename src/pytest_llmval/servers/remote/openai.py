"""OpenAIServer: whatever answers at a base URL as OpenAI does."""

from __future__ import annotations

import functools
import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import RLock
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_llmval.errors import CapabilityMissing, RequestRefused
from pytest_llmval.servers.exchange import Choice, Response, Usage
from pytest_llmval.servers.perplexity_protocol import WHOLE
from pytest_llmval.servers.remote.documents import read_document, with_protocol
from pytest_llmval.servers.remote.echoes import Echo, read_echo
from pytest_llmval.servers.remote.faults import Unanswered
from pytest_llmval.servers.remote.gathering import gather
from pytest_llmval.servers.remote.models_list import only_model
from pytest_llmval.servers.remote.payloads import Extras, Post, generation
from pytest_llmval.servers.remote.probing import Probed, probe
from pytest_llmval.servers.remote.replies import Answered, cost_of, expected_shape, read_generation, timing_of
from pytest_llmval.servers.remote.scoring import ByEcho

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from pytest_llmval.case_sets.message import Message
    from pytest_llmval.servers.exchange import DocumentLikelihood, LogLikelihood, Request, Timing
    from pytest_llmval.servers.perplexity_protocol import Windows
    from pytest_llmval.servers.reference import Reference
    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.gathering import Gathered
    from pytest_llmval.servers.remote.scoring import Scoring
    from pytest_llmval.servers.remote.transport import Reply, Transport
    from pytest_llmval.servers.server import Capabilities, Finding, Location


@dataclass(frozen=True, slots=True)
class Job:
    """A request with all that has to be sent for it."""

    request: Request
    posts: tuple[Post, ...] = ()
    """One, or one a choice."""
    refusal: str = ""
    """Why nothing is sent; empty when something is."""


class OpenAIServer:
    """A server at a base URL with the OpenAI interface. Nothing is asked before it is needed."""

    def __init__(
        self,
        endpoint: Endpoint,
        transport: Transport,
        *,
        reference: Reference,
        scoring: Scoring | None = None,
        streams: bool = False,
        options: tuple[tuple[str, Any], ...] = (),
        name: str = "openai",
    ) -> None:
        """A server that is asked over a transport; nothing is asked yet.

        Args:
            endpoint: The server.
            transport: The way there.
            reference: What is known here of the model.
            scoring: How it says the probabilities of given texts; by default by echo.
            streams: Whether answers come in pieces, for the time of the first token.
            options: What is sent with each request for an answer beside the common names.
            name: Kind of the server, for messages.
        """
        self.name = name
        self._endpoint = endpoint
        self._transport = transport
        self._reference = reference
        self._scoring = scoring or ByEcho()
        self._streams = streams
        self._options = options
        self._looking = RLock()
        """Held while the server is looked at, which only one thread need do."""
        self._model = ""
        self._probed: Probed | None = None

    @property
    def model(self) -> str:
        """Name of the model, as the server calls it.

        Raises:
            ServerError: If none was named and the server does not serve exactly one.
        """
        with self._looking:
            if not self._model:
                self._transport.open()
                self._model = self._endpoint.model or only_model(self._endpoint.name, self._transport)
            return self._model

    @property
    def probed(self) -> Probed:
        """What the server was found to do, by asking it once."""
        with self._looking:
            if self._probed is None:
                self._probed = probe(self._transport, self.model, self._scoring, self._options)
            return self._probed

    @property
    def capabilities(self) -> Capabilities:
        """What the server was found to do."""
        return self.probed.capabilities

    @property
    def findings(self) -> tuple[Finding, ...]:
        """How that was found."""
        return self.probed.findings

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """One response a request, in order; what the server refuses says why in `error`.

        Raises:
            ServerError: If the server does not answer.
            CapabilityMissing: If it never can.
        """
        return [answered.response for answered in self.ask(requests)]

    def answer_in_pieces(self, requests: Sequence[Request]) -> list[Response]:
        """As `answer`, but each answer is streamed, so that the time of its first token is known."""
        self._require("streaming")
        return [answered.response for answered in self.ask(requests, streams=True)]

    def ask(self, requests: Sequence[Request], *, streams: bool | None = None) -> list[Answered]:
        """As `answer`, with what the interface tells beyond a response; by default streamed as the settings say."""
        self._check(requests)
        extras = self._extras(requests)
        jobs = [self._job(request, extras) for request in requests]
        posts = [post for job in jobs for post in job.posts]
        wanted = self._streams if streams is None else streams
        found = iter(self._send(posts, streams=wanted and not any(request.choices for request in requests)))
        return [self._answered(job, [next(found) for _ in job.posts]) for job in jobs]

    def _check(self, requests: Sequence[Request]) -> None:
        if any(request.choices for request in requests):
            self._require("loglikelihood")
        conversations = any(request.choices and not isinstance(request.prompt, str) for request in requests)
        if conversations and not self._reference.is_known:
            why = "texts after a conversation are scored through the model's own template; name a folder that has it"
            self._lack("loglikelihood", f'{why} with reference = "…"')
        decodings = [request.decoding for request in requests if not request.choices]
        if any(decoding.logprobs is not None for decoding in decodings):
            self._require("logprobs")
        if any(decoding.json_schema is not None for decoding in decodings):
            self._require("json_schema")

    def _extras(self, requests: Sequence[Request]) -> Extras:
        """Plain requests cost no probing."""
        special = any(request.decoding.top_k or request.decoding.logprobs is not None for request in requests)
        return replace(self.probed.extras if special else Extras(), options=self._options)

    def _job(self, request: Request, extras: Extras) -> Job:
        try:
            return Job(request, self._posts(request, extras))
        except RequestRefused as refusal:
            return Job(request, refusal=str(refusal))

    def _posts(self, request: Request, extras: Extras) -> tuple[Post, ...]:
        if not request.choices:
            return (self._sized(generation(self.model, request, extras), request),)
        context = self._reference.rendered(request.prompt)
        return tuple(self._echo(f"{context}{choice}") for choice in request.choices)

    def _sized(self, post: Post, request: Request) -> Post:
        """With the tokens counted where the tokenizer is known."""
        if not self._reference.is_known:
            return post
        return replace(post, input_tokens=self._reference.count(request.prompt), is_exact=True)

    def _echo(self, text: str) -> Post:
        return self._scoring.post(self.model, text, self.probed.echo_tokens)

    def _send(self, posts: Sequence[Post], *, streams: bool) -> list[Gathered[Reply]]:
        self._transport.open()
        calls = [functools.partial(self._transport.post, post, streams=streams) for post in posts]
        return gather(calls, min(len(calls), self._transport.limiter.limits.concurrency))

    def _answered(self, job: Job, found: list[Gathered[Reply]]) -> Answered:
        refusals = [job.refusal] if job.refusal else [str(each) for each in found if isinstance(each, Exception)]
        if refusals:
            return Answered(Response.failed(refusals[0]))
        replies = [each for each in found if not isinstance(each, RequestRefused | Unanswered)]
        return self._chosen(job.request, replies) if job.request.choices else read_generation(replies[0])

    def _chosen(self, request: Request, replies: list[Reply]) -> Answered:
        """The most probable choice, from the scores of all."""
        context = self._reference.rendered(request.prompt)
        try:
            echoes = [
                self._read(reply, context, choice) for reply, choice in zip(replies, request.choices, strict=True)
            ]
        except RequestRefused as refusal:
            return Answered(Response.failed(str(refusal)))
        response = _choice(request, echoes, timing_of(replies))
        return Answered(replace(response, cost=cost_of(replies)))

    def _read(self, reply: Reply, context: str, continuation: str) -> Echo:
        with expected_shape(reply.body):
            body = self._scoring.read(reply.body, context + continuation)
        return read_echo(replace(reply, body=body), context, continuation)

    def loglikelihood(self, pairs: Sequence[tuple[str, str]], *, unverified: bool = False) -> list[LogLikelihood]:
        """The likelihood of each continuation after its context.

        Raises:
            RequestRefused: If a pair cannot be scored; the text says which.
            CapabilityMissing: If the server does not give the logprobs of a prompt.
        """
        if not unverified:
            self._require("loglikelihood")
        found = self._send([self._echo(context + continuation) for context, continuation in pairs], streams=False)
        return [self._likelihood(at, pair, each) for at, (pair, each) in enumerate(zip(pairs, found, strict=True))]

    def _likelihood(self, at: int, pair: tuple[str, str], found: Gathered[Reply]) -> LogLikelihood:
        context, continuation = pair
        with _refused_as(f"pair {at} ({context[-40:]!r}, {continuation[:40]!r})"):
            return self._read(_reply(found), context, continuation).likelihood

    def document_likelihood(self, texts: Sequence[str], windows: Windows = WHOLE) -> list[DocumentLikelihood]:
        """The likelihood of each whole text, read at once; what the server finds too long it refuses.

        Raises:
            RequestRefused: If a text cannot be scored; the message says which.
            CapabilityMissing: If the server gives no logprobs of a prompt, or windows of another size are asked for.
        """
        self._require("loglikelihood")
        if windows != WHOLE:
            self._lack("document_likelihood", f"texts are read at once, and not in windows of {windows.size} tokens")
        found = self._send([self._echo(text) for text in texts], streams=False)
        scored = [self._document(at, text, each) for at, (text, each) in enumerate(zip(texts, found, strict=True))]
        return with_protocol(scored, texts, self._reference, self._scoring.dtype)

    def _document(self, at: int, text: str, found: Gathered[Reply]) -> DocumentLikelihood:
        with _refused_as(f"text {at} ({text[:40]!r})"):
            body = _reply(found).body
            with expected_shape(body):
                return read_document(self._scoring.read(body, text), text)

    def logits(self, prompt: str) -> np.ndarray:  # noqa: ARG002 - the protocol has it
        """Not available: the interface has none."""
        self._lack("logits", "the interface has none")

    def count_tokens(self, prompt: str | tuple[Message, ...]) -> int:
        """Tokens of a prompt; about a quarter of its bytes where the tokenizer is not known here."""
        return self._reference.count(prompt)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the reference, in this process."""
        return self._reference.tokenizer

    def location(self) -> Location:
        """Its base URL; of a server that this run starts also process and log."""
        return self._endpoint.location()

    def restart(self) -> None:
        """Start it anew, and look again at what it does."""
        self._endpoint.restart()
        with self._looking:
            self._probed = None

    def peak_memory(self) -> int | None:
        """Main memory of a server that this run started, None of another."""
        return self._endpoint.peak_memory()

    def close(self) -> None:
        """Close the connections, and end the server if this run started it."""
        self._transport.close()
        self._endpoint.close()

    def _require(self, capability: str) -> None:
        if not self.probed.holds(capability):
            self._lack(capability, self.probed.evidence(capability))

    def _lack(self, capability: str, reason: str) -> NoReturn:
        msg = f"the {self.name} server of {self._endpoint.name!r} lacks the capability {capability!r}: {reason}"
        raise CapabilityMissing(msg)


@contextmanager
def _refused_as(what: str) -> Iterator[None]:
    """Within it, a refusal says what was refused."""
    try:
        yield
    except RequestRefused as refusal:
        msg = f"{what}: {refusal}"
        raise RequestRefused(msg) from refusal


def _reply(found: Gathered[Reply]) -> Reply:
    """The reply, or what there was in its place, raised."""
    if isinstance(found, RequestRefused | Unanswered):
        raise found
    return found


def _choice(request: Request, echoes: list[Echo], timing: Timing) -> Response:
    logprobs = tuple(each.likelihood.logprob for each in echoes)
    if any(map(math.isnan, logprobs)):
        return Response.failed(f"the log-likelihoods of the choices are {list(logprobs)}; expected numbers")
    best = logprobs.index(max(logprobs))
    choice = Choice(best, logprobs, tuple(map(len, request.choices)))
    return Response(request.choices[best], finish_reason="choice", choice=choice, usage=_used(echoes), timing=timing)


def _used(echoes: list[Echo]) -> Usage:
    usages = [each.usage for each in echoes]
    return Usage(sum(each.prompt_tokens for each in usages), sum(each.completion_tokens for each in usages))
