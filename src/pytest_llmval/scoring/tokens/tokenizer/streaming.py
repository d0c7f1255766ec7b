"""Streams of text pieces: together they are the full text, and none takes back what was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.code_points import around, code_points
from pytest_llmval.scoring.tokens.tokenizer.asking import decode, encode, refuse_unusable, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_REPLACEMENT = "\ufffd"
_LONGEST_GROWN = 24  # tokens: each is decoded with all before it


@dataclass(frozen=True, slots=True)
class Streamed:
    """A text that came in pieces, and the text it should be."""

    actual: str
    expected: str
    pieces: int
    complete: int
    """Characters before the ids whose text ends with U+FFFD, which may be a character that is not finished."""

    @property
    def agrees(self) -> bool:
        """Whether they are equal; what the last ids left unfinished may be held back or replaced."""
        if not self.expected.endswith(_REPLACEMENT):
            return self.actual == self.expected
        return len(self.actual) >= self.complete and self.expected.startswith(self.actual.rstrip(_REPLACEMENT))

    def __str__(self) -> str:
        at = next((n for n, pair in enumerate(zip(self.actual, self.expected, strict=False)) if pair[0] != pair[1]), -1)
        at = min(len(self.actual), len(self.expected)) if at < 0 else at
        return (
            f"{self.pieces} pieces give {len(self.actual)} characters, expected {len(self.expected)}; they part at "
            f"character {at}\n"
            f"    expected {around(self.expected, at)} ({code_points(self.expected[at : at + 4]) or 'the end'})\n"
            f"    actual   {around(self.actual, at)} ({code_points(self.actual[at : at + 4]) or 'the end'})"
        )


def stream_pieces(tokenizer: Any, ids: Iterable[int]) -> list[str]:
    """The pieces that the stream decoder of the `tokenizers` library gives for ids, one by one."""
    from tokenizers.decoders import DecodeStream

    stream = DecodeStream(skip_special_tokens=False)
    steps = (stream.step(tokenizer.backend_tokenizer, number) for number in ids)
    return [piece for piece in steps if piece is not None]


def compare_incremental_detok(
    detokenizer: Any, ids: Sequence[int], *, tokenizer: Any = None, skip_special_tokens: bool = False
) -> Streamed:
    """Pieces put together beside the full text; see `assert_incremental_detok_equals_full`."""
    own = tokenizer is None
    tokenizer = detokenizer if own else tokenizer
    refuse_unusable(tokenizer)
    if not len(ids):
        raise InvalidComparison("no ids were given, so nothing was streamed; expected at least one id")

    def text_of(count: int) -> str:
        part = list(ids[:count])
        if own:
            return str(tokenizer.backend_tokenizer.decode(part, skip_special_tokens=False))
        return str(tokenizer.decode(part, skip_special_tokens=skip_special_tokens))

    pieces = stream_pieces(tokenizer, ids) if own else list(detokenizer(list(ids)))
    growing = map(text_of, range(len(ids), -1, -1))
    complete = next(text for text in growing if not text.endswith(_REPLACEMENT))
    return Streamed("".join(pieces), text_of(len(ids)), len(pieces), len(complete))


def assert_incremental_detok_equals_full(
    detokenizer: Any, ids: Sequence[int], *, tokenizer: Any = None, skip_special_tokens: bool = False
) -> Streamed:
    """Text streamed id by id is the text of all ids: nothing lost, doubled or changed afterwards.

    Characters that need more ids than came may be held back or given as U+FFFD at the very end.

    Args:
        detokenizer: A fast tokenizer, whose stream decoder is tried; or, with `tokenizer`, your own: a function of a
            list of ids that yields pieces of text and flushes at the end.
        ids: Token ids as `encode` gives them. Ids in another order, as models emit them, may be decoded differently
            in a stream by a sound tokenizer, so use them with your own detokenizer only.
        tokenizer: Gives the full text for your own detokenizer.
        skip_special_tokens: Whether your own detokenizer leaves special tokens out.

    Raises:
        ModelRegression: If the texts differ; the message shows both around the first difference.
        InvalidComparison: If there are no ids.
    """
    __tracebackhide__ = True
    found = compare_incremental_detok(detokenizer, ids, tokenizer=tokenizer, skip_special_tokens=skip_special_tokens)
    if not found.agrees:
        msg = f"incremental decoding differs from full decoding: {found}"
        raise ModelRegression(msg)
    return found


def streamed_apart(tokenizer: Any, text: str) -> str:
    """How the stream decoder changes a text; empty when it does not."""
    ids = encode(tokenizer, text)
    if not ids:
        return ""
    found = compare_incremental_detok(tokenizer, ids)
    return "" if found.agrees else str(found)


def rewritten(tokenizer: Any, text: str) -> str:
    """Which earlier text decoding more ids changes; empty when decoded text only ever grows."""
    ids = encode(tokenizer, text)
    full = decode(tokenizer, ids)
    for count in range(1, min(len(ids), _LONGEST_GROWN)):
        part = decode(tokenizer, ids[:count]).rstrip(_REPLACEMENT)
        if not full.startswith(part):
            tokens = tokens_of(tokenizer, ids[:count])
            return f"{tokens[-3:]} decode to {part[-12:]!r}, with the tokens after them to {full[: len(part)][-12:]!r}"
    return ""
