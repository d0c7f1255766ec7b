"""The Server protocol: requests go in, responses come out, in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

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


LOCAL_MODEL = Capabilities(loglikelihood=True, logprobs=True, logits=True, seed=True, token_ids=True)
"""What a model whose weights we hold can do: everything."""


class Server(Protocol):
    """Whoever answers for one model version."""

    name: str
    """Kind of the server, for messages: `transformers`, `scripted`, …"""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; a remote server may be asked for it."""

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """One response a request, in order. Requests given together may be computed together.

        A request that cannot be answered gives a response with `error`; the others are still answered.

        Raises:
            ServerError: If the server as a whole does not answer.
            CapabilityMissing: If it never can.
        """

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        """The likelihood of each continuation after its context; no delimiter is added between them.

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

    def count_tokens(self, prompt: str) -> int:
        """Tokens of a rendered prompt, special tokens included; for plans, so without loading weights."""

    @property
    def tokenizer(self) -> Any:
        """The tokenizer object, for white-box tests."""

    def close(self) -> None:
        """Release what is held. Calling it twice is harmless."""
