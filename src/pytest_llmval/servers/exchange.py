"""Request and Response: what goes to a server and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.case_sets.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.perplexity_protocol import PerplexityProtocol

__all__ = [
    "Choice",
    "Decoding",
    "DocumentLikelihood",
    "FinishReason",
    "LogLikelihood",
    "Message",
    "Request",
    "Response",
    "Timing",
    "TokenLogprob",
    "Usage",
    "count_flaws",
    "spent_on",
]

FinishReason = Literal["stop", "length", "choice", "error"]


@dataclass(frozen=True, slots=True)
class Request:
    """One thing asked of a server: continue a prompt, answer a conversation, or choose among texts."""

    prompt: str | tuple[Message, ...]
    """Plain text, or messages that the server renders through the model's chat template."""
    choices: tuple[str, ...] = ()
    """When given, nothing is generated: the log-likelihood of each choice after the prompt is computed."""
    decoding: Decoding = field(default_factory=Decoding)
    seed: int = 0
    """Seed of this request's own random stream; without effect when greedy."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A generated token with its natural log-probability."""

    token_id: int
    token: str
    logprob: float
    top: tuple[tuple[int, float], ...] = ()
    """The most probable tokens at this position as (token id, logprob), most probable first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The option a model prefers, by log-likelihood of its text after the prompt."""

    index: int
    """Position of the option with the highest summed logprob; the first one on a tie."""
    logprobs: tuple[float, ...]
    """Summed natural logprob of each option's tokens."""
    lengths: tuple[int, ...] = ()
    """Characters of each option, for length-normalised accuracy."""

    @property
    def normalised_index(self) -> int:
        """Position of the option with the highest logprob per character, as lm-eval's `acc_norm`."""
        rates = [logprob / max(1, length) for logprob, length in zip(self.logprobs, self.lengths, strict=True)]
        return rates.index(max(rates))


@dataclass(frozen=True, slots=True)
class LogLikelihood:
    """How probable a continuation is after a context."""

    logprob: float
    """Sum over the continuation's tokens, natural logarithm."""
    is_greedy: bool
    """Whether each token was the most probable one at its place."""
    token_logprobs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DocumentLikelihood:
    """How probable a whole text is."""

    logprob: float
    """Sum over all scored tokens, natural logarithm."""
    tokens: int
    """Number of scored tokens: each token of the text exactly once."""
    protocol: PerplexityProtocol | None = None
    """How it was taken, the same for all texts of one call; None where the server does not say."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that went in and came out.

    For a choice that the engine computes: the context once and all options in, nothing out. A server is sent the
    context anew with each option, and some write a token after it.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total(self) -> int:
        """Tokens in and out together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Timing:
    """When a response was made. Requests that were admitted to a batch together share their times."""

    started_at: str = ""
    """ISO 8601, UTC."""
    seconds: float = 0.0
    """Wall time until the last request that was admitted to a batch with this one was done."""
    batch: int = 1
    """Most requests that were computed together with this one, itself included."""
    first_token_seconds: float | None = None
    """Wall time from sending the request to its first text; None where answers come in one piece."""
    waited_seconds: float = 0.0
    """Wall time before the attempt that was answered: for leave of a rate limit, and for attempts that failed."""
    attempts: int = 1
    """How often it was sent."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answered to one request. Check `error` before anything else."""

    text: str = ""
    """The answer without special tokens and without the stop string; the chosen option for a choice."""
    token_ids: tuple[int, ...] = ()
    """Generated ids, the end-of-sequence token included."""
    logprobs: tuple[TokenLogprob, ...] | None = None
    """One entry a generated token when `Decoding.logprobs` asked for them, else None."""
    finish_reason: FinishReason = "stop"
    usage: Usage = field(default_factory=Usage)
    timing: Timing = field(default_factory=Timing)
    cost: float | None = 0.0
    """US dollars; 0 for a model of one's own, None where nobody knows the price."""
    error: str | None = None
    """Why there is no answer; None when there is one."""
    choice: Choice | None = None
    """Set when the request had choices."""
    samples: tuple[str, ...] = ()
    """Texts of all samples when `n` > 1 was asked of `llm.generate`, this one first."""
    case: Case | None = None
    """The case this answers, when it came from a case set."""
    trials: tuple[Response, ...] = ()
    """All trials of the case, this first one included; empty when it was not asked as a case."""
    replayed: bool = False
    """Whether it was read from a record instead of measured in this run."""
    request: Request | None = field(default=None, compare=False)
    """What it answers; None for a recorded baseline's and for one made by hand."""

    def __repr__(self) -> str:
        """Case and answer, short enough for a traceback; the fields hold the rest."""
        to = f" to {self.case.id!r}" if self.case else ""
        return f"<response{to}: {self.text[:60]!r}, {self.error or self.finish_reason}>"

    @property
    def truncated(self) -> bool:
        """Whether the answer was cut because `max_tokens` or the context length was reached."""
        return self.finish_reason == "length"

    @property
    def empty(self) -> bool:
        """Whether the model answered with nothing but white space; a failed response and a choice are not empty."""
        return self.error is None and self.choice is None and not self.text.strip()

    @classmethod
    def failed(cls, reason: str) -> Response:
        """The response that says why there is none."""
        return cls(finish_reason="error", error=reason)

    def with_case(self, case: Case, trials: tuple[Response, ...]) -> Response:
        """This response attached to its case."""
        return replace(self, case=case, trials=trials)


def count_flaws(responses: Iterable[Response]) -> dict[str, int]:
    """How many responses failed, were cut or are empty: what a mean of their scores does not say."""
    given = list(responses)
    return {
        "failed": sum(response.error is not None for response in given),
        "truncated": sum(response.truncated for response in given),
        "empty": sum(response.empty for response in given),
    }


def spent_on(responses: Iterable[Response]) -> dict[str, Any]:
    """Tokens and US dollars that were spent on measuring responses; None dollars where no price is known."""
    measured = [response for response in responses if not response.replayed]
    costs = [response.cost for response in measured]
    return {
        "prompt_tokens": sum(response.usage.prompt_tokens for response in measured),
        "completion_tokens": sum(response.usage.completion_tokens for response in measured),
        "cost": None if None in costs else sum(cost for cost in costs if cost is not None),
    }
