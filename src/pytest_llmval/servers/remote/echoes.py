"""The likelihood of a continuation from a text that the server repeats with its own logprobs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, product
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.exchange import LogLikelihood, Usage
from pytest_llmval.servers.remote.replies import expected_shape, text_of, token_logprobs, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmval.servers.remote.replies import TextLogprob
    from pytest_llmval.servers.remote.transport import Reply

BROKEN = "\N{REPLACEMENT CHARACTER}"
MOST_BEFORE, MOST_BEHIND = 2, 1
"""Special tokens at the ends of a text, as BOS and EOS."""
SLACK = 1e-6
"""By how much logprobs of one token differ that are printed twice."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A text split in context and continuation."""

    likelihood: LogLikelihood
    """Of the continuation."""
    usage: Usage
    """As the server counts it, the context included."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A token of the text with its place."""

    token: TextLogprob
    start: int
    """Characters of the text before it; −1 for special tokens in front, which the text does not have."""


def read_echo(reply: Reply, context: str, continuation: str) -> Echo:
    """What the server says about a continuation.

    Trailing white space of the context belongs to the continuation, as for the engine. A token that reaches across
    the border belongs to the context, unless the continuation has no other.

    Raises:
        RequestRefused: If the tokens do not add up to the text, or there is none or no number for the continuation.
    """
    text, border = context + continuation, len(context.rstrip())
    with expected_shape(reply.body):
        placed = text_tokens(reply.body, text)
        _refuse_broken_border(placed, border)
    after = [each for each in placed if each.start >= border] or placed[-1:]
    if not continuation or not after:
        msg = f"continuation {continuation!r} has no token of its own; expected at least one"
        raise RequestRefused(msg)
    found = _likelihood([each.token for each in after], continuation)
    return Echo(found, usage_of(reply.body))


def _refuse_broken_border(placed: list[Placed], border: int) -> None:
    """Raise RequestRefused where a row of broken tokens reaches across the border: which are whose, nobody can tell."""
    before = [each for each in placed if each.start < border]
    after = next((each.start for each in placed[len(before) :] if not is_broken(each.token.token)), border + 1)
    if before and is_broken(before[-1].token.token) and after > border:
        msg = "context and continuation meet between characters of several tokens; expected one of one token there"
        raise RequestRefused(msg)


def text_tokens(body: dict[str, Any], text: str) -> list[Placed]:
    """The tokens of a text that was asked to be repeated, special tokens before it included.

    Tokens are placed by their own texts: whether BOS counts in `text_offset` is another thing in every server.

    Raises:
        RequestRefused: If there are none, or they do not add up to the text.
    """
    choice = body["choices"][0]
    tokens, whole = token_logprobs(choice), text_of(choice)
    if tokens is None:
        msg = "asked for the logprobs of the prompt, none came back"
        raise RequestRefused(msg)
    placed = _place(tokens, whole) if whole.startswith(text) else None
    # Some give the text with what they wrote after it, and logprobs of less.
    placed = placed or _place(tokens, text)
    if placed is None:
        msg = f"the tokens that came back read {''.join(each.token for each in tokens)[:60]!r}; expected {text[:60]!r}"
        raise RequestRefused(msg)
    # What was generated after the text is no part of it.
    return [each for each in placed if each.start < len(text)]


def _place(tokens: list[TextLogprob], whole: str) -> list[Placed] | None:
    """Tokens by where they begin in what they add up to; None when they do not.

    Special tokens at both ends are none of the text: as few are left out as will do.
    """
    for back, front in product(range(MOST_BEHIND + 1), range(MOST_BEFORE + 1)):
        inner = tokens[front : len(tokens) - back]
        starts = token_starts([each.token for each in inner], whole)
        if starts is not None:
            before = [Placed(token, -1) for token in tokens[:front]]
            return before + [Placed(token, at) for token, at in zip(inner, starts, strict=True)]
    return None


def token_starts(tokens: Sequence[str], text: str) -> list[int] | None:
    r"""Where each token begins in a text; None when they do not add up to it.

    Tokens that hold parts of characters begin, as far as anyone can tell, where the first of their row does.

    >>> token_starts(["a", "\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}", " b"], "a\N{SNOWMAN} b")
    [0, 1, 1, 2]
    """
    rows = [(broken, list(row)) for broken, row in groupby(tokens, is_broken)]
    reached: list[dict[int, int]] = [{0: 0}]
    for broken, row in rows:
        # Where a row may end, with where it then begins. A regular expression would try every way of all rows.
        ends = ((end, start) for start in reached[-1] for end in _ends("".join(row), text, start, broken=broken))
        reached.append(dict(ends))
    if len(text) not in reached[-1]:
        return None
    starts, end = [], len(text)
    for (broken, row), ends_at in zip(reversed(rows), reversed(reached), strict=False):
        end = ends_at[end]
        starts.append([end + (0 if broken else len("".join(row[:at]))) for at in range(len(row))])
    return [start for row_starts in reversed(starts) for start in row_starts]


def _ends(row: str, text: str, start: int, *, broken: bool) -> Iterable[int]:
    if broken:
        return range(start + 1, min(start + len(row), len(text)) + 1)
    return (start + len(row),) if text.startswith(row, start) else ()


def is_broken(token: str) -> bool:
    """Whether a token is no text of its own, but bytes of a character."""
    return BROKEN in token or token.startswith("bytes:")


def _likelihood(tokens: list[TextLogprob], continuation: str) -> LogLikelihood:
    logprobs = [token.logprob for token in tokens]
    known = tuple(logprob for logprob in logprobs if logprob is not None)
    if len(known) < len(logprobs):
        msg = f"the server gives no logprob of the first token of {continuation[:40]!r}; expected a context before it"
        raise RequestRefused(msg)
    return LogLikelihood(sum(known), all(map(_is_most_probable, tokens)), known)


def _is_most_probable(token: TextLogprob) -> bool:
    return token.logprob is not None and bool(token.top) and token.logprob >= token.top[0][1] - SLACK
