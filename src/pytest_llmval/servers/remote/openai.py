"""OpenAIServer: whatever answers at a base URL as OpenAI does."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_llmval.errors import CapabilityMissing, RequestRefused
from pytest_llmval.servers.exchange import Choice, Response, Usage
from pytest_llmval.servers.perplexity_protocol import WHOLE
from pytest_llmval.servers.remote.echoes import Echo, read_echo
from pytest_llmval.servers.remote.faults import Unanswered
from pytest_llmval.servers.remote.gathering import gather
from pytest_llmval.servers.remote.payloads import Extras, Post, count_roughly, echo, generation
from pytest_llmval.servers.remote.probing import Probed, probe
from pytest_llmval.servers.remote.replies import Answered, read_generation, timing_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pytest_llmval.servers.exchange import DocumentLikelihood, LogLikelihood, Request, Timing
    from pytest_llmval.servers.perplexity_protocol import Windows
    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.gathering import Gathered
    from pytest_llmval.servers.remote.transport import Reply, Transport
    from pytest_llmval.servers.server import Capabilities


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

    name = "openai"

    def __init__(self, settings: Endpoint, transport: Transport, *, streams: bool = False) -> None:
        """A server that is asked over a transport; with `streams` for the time of the first token."""
        self._settings = settings
        self._transport = transport
        self._streams = streams

    @functools.cached_property
    def probed(self) -> Probed:
        """What the server was found to do, by asking it once."""
        self._transport.open()
        return probe(self._transport)

    @property
    def capabilities(self) -> Capabilities:
        """What the server was found to do."""
        return self.probed.capabilities

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """One response a request, in order; what the server refuses says why in `error`.

        Raises:
            ServerError: If the server does not answer.
            CapabilityMissing: If it never can.
        """
        return [answered.response for answered in self.ask(requests)]

    def ask(self, requests: Sequence[Request]) -> list[Answered]:
        """As `answer`, with what the interface tells beyond a response."""
        self._check(requests)
        extras = self._extras(requests)
        jobs = [self._job(request, extras) for request in requests]
        found = iter(self._send([post for job in jobs for post in job.posts], streams=self._streams))
        return [self._answered(job, [next(found) for _ in job.posts]) for job in jobs]

    def _check(self, requests: Sequence[Request]) -> None:
        if any(request.choices for request in requests):
            self._require("loglikelihood")
        if any(request.choices and not isinstance(request.prompt, str) for request in requests):
            self._lack("loglikelihood", "over this interface texts cannot be scored after a conversation")
        if any(request.decoding.logprobs is not None for request in requests if not request.choices):
            self._require("logprobs")

    def _extras(self, requests: Sequence[Request]) -> Extras:
        """Plain requests cost no probing."""
        special = any(request.decoding.top_k or request.decoding.logprobs is not None for request in requests)
        return self.probed.extras if special else Extras()

    def _job(self, request: Request, extras: Extras) -> Job:
        try:
            return Job(request, self._posts(request, extras))
        except RequestRefused as refusal:
            return Job(request, refusal=str(refusal))

    def _posts(self, request: Request, extras: Extras) -> tuple[Post, ...]:
        if not request.choices:
            return (generation(self._settings.model, request, extras),)
        return tuple(self._echo(f"{request.prompt}{choice}") for choice in request.choices)

    def _echo(self, text: str) -> Post:
        return echo(self._settings.model, text, self.probed.echo_tokens)

    def _send(self, posts: Sequence[Post], *, streams: bool) -> list[Gathered[Reply]]:
        self._transport.open()
        calls = [functools.partial(self._post, post, streams=streams and "echo" not in post.payload) for post in posts]
        return gather(calls, min(len(calls), self._transport.limiter.limits.concurrency))

    def _post(self, post: Post, *, streams: bool) -> Reply:
        send = self._transport.stream if streams else self._transport.post
        return send(post.path, post.payload, post.tokens)

    def _answered(self, job: Job, found: list[Gathered[Reply]]) -> Answered:
        refusals = [job.refusal] if job.refusal else [str(each) for each in found if isinstance(each, Exception)]
        if refusals:
            return Answered(Response.failed(refusals[0]))
        replies = [each for each in found if not isinstance(each, RequestRefused | Unanswered)]
        return _chosen(job.request, replies) if job.request.choices else read_generation(replies[0])

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        """The likelihood of each continuation after its context.

        Raises:
            RequestRefused: If a pair cannot be scored; the text says which.
            CapabilityMissing: If the server does not give the logprobs of a prompt.
        """
        self._require("loglikelihood")
        found = self._send([self._echo(context + continuation) for context, continuation in pairs], streams=False)
        return [_likelihood(at, pair, each) for at, (pair, each) in enumerate(zip(pairs, found, strict=True))]

    def document_likelihood(self, texts: Sequence[str], windows: Windows = WHOLE) -> list[DocumentLikelihood]:  # noqa: ARG002 - the protocol has it
        """Not available: windows are cut by tokens, which this interface does not take."""
        self._lack("document_likelihood", "windows of tokens cannot be asked over this interface")

    def logits(self, prompt: str) -> np.ndarray:  # noqa: ARG002 - the protocol has it
        """Not available: the interface has none."""
        self._lack("logits", "the interface has none")

    def count_tokens(self, prompt: str) -> int:
        """Tokens of a prompt, about: a quarter of its bytes, since the tokenizer is at the other end."""
        return count_roughly(prompt)

    @property
    def tokenizer(self) -> Any:
        """Not available: it is at the other end."""
        self._lack("tokenizer", "it is at the other end")

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _require(self, capability: str) -> None:
        if not self.probed.holds(capability):
            self._lack(capability, self.probed.evidence(capability))

    def _lack(self, capability: str, reason: str) -> NoReturn:
        msg = f"the {self.name} server of {self._settings.name!r} lacks the capability {capability!r}: {reason}"
        raise CapabilityMissing(msg)


def _likelihood(at: int, pair: tuple[str, str], found: Gathered[Reply]) -> LogLikelihood:
    context, continuation = pair
    try:
        if isinstance(found, RequestRefused | Unanswered):
            raise found
        return read_echo(found, context, continuation).likelihood
    except RequestRefused as refusal:
        msg = f"pair {at} ({context[-40:]!r}, {continuation[:40]!r}): {refusal}"
        raise RequestRefused(msg) from refusal


def _chosen(request: Request, replies: list[Reply]) -> Answered:
    """The most probable choice, from the echoes of all."""
    try:
        echoes = [
            read_echo(reply, str(request.prompt), choice)
            for reply, choice in zip(replies, request.choices, strict=True)
        ]
    except RequestRefused as refusal:
        return Answered(Response.failed(str(refusal)))
    return Answered(_choice(request, echoes, timing_of(replies)), _billed(echoes))


def _choice(request: Request, echoes: list[Echo], timing: Timing) -> Response:
    logprobs = tuple(each.likelihood.logprob for each in echoes)
    if any(map(math.isnan, logprobs)):
        return Response.failed(f"the log-likelihoods of the choices are {list(logprobs)}; expected numbers")
    best = logprobs.index(max(logprobs))
    read = echoes[0].context_tokens + sum(len(each.likelihood.token_logprobs) for each in echoes)
    choice = Choice(best, logprobs, tuple(map(len, request.choices)))
    return Response(request.choices[best], finish_reason="choice", choice=choice, usage=Usage(read), timing=timing)


def _billed(echoes: list[Echo]) -> Usage:
    usages = [each.billed for each in echoes]
    return Usage(sum(each.prompt_tokens for each in usages), sum(each.completion_tokens for each in usages))
