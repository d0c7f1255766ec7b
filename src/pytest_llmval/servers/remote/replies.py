"""What the OpenAI interface answers, read."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.exchange import Response, Timing, TokenLogprob, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.servers.exchange import FinishReason
    from pytest_llmval.servers.remote.transport import Reply

UNKNOWN_ID = -1
"""Id of a token of which the server tells the text only."""
REASONS: dict[str | None, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    None: "stop",
    "length": "length",
    "max_tokens": "length",
}
"""What servers call the ends of an answer."""

Top = tuple[tuple[str, float], ...]
"""The most probable tokens of one position by their text, most probable first."""


@dataclass(frozen=True, slots=True)
class TextLogprob:
    """A token by its text, as servers give it."""

    token: str
    logprob: float | None
    """None for a token that nothing stands before."""
    top: Top


@dataclass(frozen=True, slots=True)
class Answered:
    """A response, and what this server knows of it beyond a response."""

    response: Response
    top: tuple[Top, ...] = ()
    """The most probable tokens of each position by text; `TokenLogprob.top` has them by id, which few servers tell."""


@contextmanager
def expected_shape(body: dict[str, Any]) -> Iterator[None]:
    """Reading an answer that may not be what the interface prescribes.

    Raises:
        ServerError: If something is missing or of another type.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        msg = f"the answer has another shape than expected ({type(error).__name__}: {error}): {str(body)[:200]}"
        raise ServerError(msg) from error


def read_generation(reply: Reply) -> Answered:
    """The answer to a request for text.

    Raises:
        ServerError: If it has another shape than the interface prescribes.
    """
    with expected_shape(reply.body):
        choice = reply.body["choices"][0]
        found, usage, text = _generated(choice), usage_of(reply.body), text_of(choice)
    timing = timing_of([reply])
    response = replace(_response(choice, text, found, usage, timing), cost=reply.cost)
    top = tuple(each.top for each in found or ())
    return Answered(response, top)


def timing_of(replies: Sequence[Reply]) -> Timing:
    """What requests took that were sent together for one response."""
    return Timing(
        min(reply.started_at for reply in replies),
        max(reply.seconds for reply in replies),
        len(replies),
        replies[0].first_token_seconds,
        max(reply.waited_seconds for reply in replies),
        sum(reply.attempts for reply in replies),
    )


def cost_of(replies: Sequence[Reply]) -> float | None:
    """US dollars of requests that were sent together for one response; None where a price is not known."""
    costs = [reply.cost for reply in replies if reply.cost is not None]
    return sum(costs) if len(costs) == len(replies) else None


def _response(
    choice: dict[str, Any], text: str, found: list[TextLogprob] | None, usage: Usage, timing: Timing
) -> Response:
    given = choice.get("finish_reason")
    if given not in REASONS:
        return Response.failed(f"the server ended the answer with {given!r}; expected 'stop' or 'length'")
    ids = token_ids(choice)
    logprobs = None if found is None else _with_ids(found, ids)
    return Response(text, ids, logprobs, REASONS[given], usage, timing)


def text_of(choice: dict[str, Any]) -> str:
    """The text of an answer, of either interface."""
    text = choice["message"].get("content") if "message" in choice else choice["text"]
    return text or ""


def token_ids(choice: dict[str, Any]) -> tuple[int, ...]:
    """The generated ids; empty where the server does not tell them."""
    return tuple(map(int, choice.get("token_ids") or ()))


def _generated(choice: dict[str, Any]) -> list[TextLogprob] | None:
    """The generated tokens, each with a number; None where there are none."""
    found = token_logprobs(choice)
    for each in found or ():
        if each.logprob is None:
            msg = f"the generated token {each.token!r} has no logprob"
            raise ValueError(msg)
    return found


def _with_ids(found: list[TextLogprob], ids: tuple[int, ...]) -> tuple[TokenLogprob, ...]:
    known = ids if len(ids) == len(found) else (UNKNOWN_ID,) * len(found)
    return tuple(
        TokenLogprob(number, each.token, each.logprob)
        for number, each in zip(known, found, strict=True)
        if each.logprob is not None
    )


def usage_of(body: dict[str, Any]) -> Usage:
    """Tokens in and out; zeros where the server does not count."""
    usage = body.get("usage") or {}
    return Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))


def token_logprobs(choice: dict[str, Any]) -> list[TextLogprob] | None:
    """The tokens of an answer in either format; None where there are none."""
    given = choice.get("logprobs")
    if not isinstance(given, dict):
        return None
    if given.get("tokens") is not None:
        return _of_completions(given)
    if given.get("content") is not None:
        return [_of_chat(entry) for entry in given["content"]]
    return None


def _of_chat(entry: dict[str, Any]) -> TextLogprob:
    top = tuple((each["token"], float(each["logprob"])) for each in entry.get("top_logprobs") or ())
    return TextLogprob(entry["token"], float(entry["logprob"]), top)


def _of_completions(given: dict[str, Any]) -> list[TextLogprob]:
    tokens, logprobs = given["tokens"], given["token_logprobs"]
    tops = given.get("top_logprobs") or [None] * len(tokens)
    return [
        TextLogprob(token, None if logprob is None else float(logprob), _ranked(top))
        for token, logprob, top in zip(tokens, logprobs, tops, strict=True)
    ]


def _ranked(top: dict[str, float] | None) -> Top:
    return tuple(sorted((top or {}).items(), key=lambda entry: -entry[1]))
