"""The Server protocol: requests go in, responses come out, in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pytest_llmval.case_sets.message import Message
    from pytest_llmval.servers.exchange import DocumentLikelihood, LogLikelihood, Request, Response
    from pytest_llmval.servers.perplexity_protocol import Windows


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server can do. A test that needs more is skipped with the capability's name."""

    chat: bool = True
    logprobs: bool = False
    loglikelihood: bool = False
    """Score given texts: choices, continuations, perplexity."""
    logits: bool = False
    seed: bool = False
    stop: bool = True
    token_ids: bool = False
    streaming: bool = False
    """Give an answer piece by piece, so that the time of the first token is known."""
    json_schema: bool = False
    """Answer with JSON of a given schema."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked of a server, and what came of it."""

    name: str
    """The capability, or another word for what was asked."""
    holds: bool
    evidence: str
    """What was asked and what came back, in words."""
    refused: bool = False
    """Whether the server said that it cannot; one that does not hold without a word took the request and ignored it."""

    def __str__(self) -> str:
        """As a line of a table: `seed: no, the seeds 1 to 4 gave the same text at temperature 1`."""
        return f"{self.name}: {'yes' if self.holds else 'no'}, {self.evidence}"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a server is found."""

    url: str = ""
    """Base URL; empty for one that is not asked over HTTP."""
    pid: int | None = None
    """Id of its process, None where that is not known."""
    log: str | None = None
    """File it writes to, None where it writes to none of ours."""
    deaths: tuple[int | None, ...] = ()
    """Exit status of each process of it that died after it was ready; None where nobody saw it."""


LOCAL_MODEL = Capabilities(loglikelihood=True, logprobs=True, logits=True, seed=True, token_ids=True)
"""What a model whose weights we hold can do: everything."""


class Server(Protocol):
    """Whoever answers for one model version."""

    name: str
    """Kind of the server, for messages: `transformers`, `scripted`, …"""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; a remote server may be asked for it."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """How its capabilities were found; empty for one that is known to have them."""

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """One response a request, in order. Requests given together may be computed together.

        A request that cannot be answered gives a response with `error`; the others are still answered.

        Raises:
            ServerError: If the server as a whole does not answer.
            CapabilityMissing: If it never can.
        """

    def answer_in_pieces(self, requests: Sequence[Request]) -> list[Response]:
        """As `answer`, but each answer is streamed, so that the time of its first token is known.

        Raises:
            CapabilityMissing: If it cannot.
        """

    def loglikelihood(self, pairs: Sequence[tuple[str, str]], *, unverified: bool = False) -> list[LogLikelihood]:
        """The likelihood of each continuation after its context; no delimiter is added between them.

        With `unverified` a server is asked also when its numbers were found wrong.

        Raises:
            RequestRefused: If a pair cannot be scored; the text names its index. The same holds for the calls below.
        """

    def document_likelihood(self, texts: Sequence[str], windows: Windows = ...) -> list[DocumentLikelihood]:
        """The likelihood of each whole text, with BOS in front when the model has one; long ones window by window.

        Raises:
            ValueError: If the model cannot read windows of that size.
        """

    def logits(self, prompt: str) -> np.ndarray:
        """Logits of every prompt position, float32, shape `[tokens, vocabulary]`."""

    def count_tokens(self, prompt: str | tuple[Message, ...]) -> int:
        """Tokens of a prompt, special tokens and those of the chat template included; loads no weights."""

    @property
    def tokenizer(self) -> Any:
        """The tokenizer object, for white-box tests."""

    def location(self) -> Location:
        """Where it is found; a server that is not yet there is started for it."""

    def restart(self) -> None:
        """End the server's process and start it anew.

        Raises:
            CapabilityMissing: If it was not started by this run, or has no process of its own.
        """

    def peak_memory(self) -> int | None:
        """The most bytes it took so far: of the accelerator where it computes on one, else of main memory."""

    def close(self) -> None:
        """Release what is held. Calling it twice is harmless."""
