"""The likelihood of whole texts: windows of the model's context, every token scored once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_llmval.servers.engine.encoding import encode, first_token
from pytest_llmval.servers.engine.token_scores import Tail, score_tails
from pytest_llmval.servers.exchange import DocumentLikelihood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.network import Network


def score_documents(
    network: Network, tokenizer: Any, texts: Sequence[str], batch_size: int
) -> list[DocumentLikelihood]:
    """The likelihood of each text; the windows of all texts are batched together.

    Raises:
        RequestRefused: If the tokenizer has no token to stand before the first one.
    """
    windows = [cut_windows(encode_document(tokenizer, text), network.context_length) for text in texts]
    found = iter(score_tails(network, [tail for tails in windows for tail in tails], batch_size))
    return [_add_up([next(found).logprobs for _ in tails]) for tails in windows]


def _add_up(windows: Sequence[Sequence[float]]) -> DocumentLikelihood:
    logprobs = [logprob for window in windows for logprob in window]
    return DocumentLikelihood(math.fsum(logprobs), len(logprobs))


def encode_document(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text with BOS (or EOS) in front, once also when the text already starts with it."""
    start, ids = first_token(tokenizer), encode(tokenizer, text, special=False)
    return ids if ids[:1] == [start] else [start, *ids]


def cut_windows(ids: Sequence[int], context_length: int | None) -> list[Tail]:
    """Windows in which every token but the first is scored exactly once, with as much context as fits.

    All windows but the first are full: the last one reaches back for context rather than being short.

    Source:
        lm-evaluation-harness, `get_rolling_token_windows` with `context_len=1`.
    """
    size = context_length or len(ids)
    return [
        Tail(tuple(ids[max(0, end - size - 1) : end]), end - start)
        for start in range(1, len(ids), size)
        for end in [min(start + size, len(ids))]
    ]
