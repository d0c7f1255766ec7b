"""The likelihood of whole texts: windows of the model's context, every token scored once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.servers.engine.encoding import encode, first_token, refuse_double_bos
from pytest_llmval.servers.engine.token_scores import Tail, score_tails
from pytest_llmval.servers.exchange import DocumentLikelihood
from pytest_llmval.servers.perplexity_protocol import WHOLE, PerplexityProtocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.network import Network
    from pytest_llmval.servers.perplexity_protocol import BosPolicy, Windows


def score_documents(
    network: Network, tokenizer: Any, texts: Sequence[str], batch_size: int, windows: Windows = WHOLE
) -> list[DocumentLikelihood]:
    """The likelihood of each text; the windows of all texts are batched together.

    Raises:
        RequestRefused: If the tokenizer has no token to stand before the first one.
        ValueError: If the model cannot read windows of that size.
    """
    chosen = windows.within(network.context_length)
    documents = [encode_document(tokenizer, text) for text in texts]
    cut = [cut_windows(ids, chosen.size, chosen.stride, chosen.bos) for ids in documents]
    protocol = protocol_of(documents, cut, chosen)
    found = iter(score_tails(network, [tail for tails in cut for tail in tails], batch_size))
    return [_add_up([next(found).logprobs for _ in tails], protocol) for tails in cut]


def _add_up(windows: Sequence[Sequence[float]], protocol: PerplexityProtocol) -> DocumentLikelihood:
    logprobs = [logprob for window in windows for logprob in window]
    return DocumentLikelihood(math.fsum(logprobs), len(logprobs), protocol)


def protocol_of(
    documents: Sequence[Sequence[int]], cut: Sequence[Sequence[Tail]], windows: Windows
) -> PerplexityProtocol:
    """The protocol that scored these token ids."""
    tokenization = content_hash([list(ids) for ids in documents])[:12]
    if all(len(tails) <= 1 for tails in cut):
        return PerplexityProtocol(None, None, "document", tokenization)
    return PerplexityProtocol(windows.size, windows.stride or windows.size, windows.bos, tokenization)


def encode_document(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text with BOS (or EOS) in front, once also when the text already starts with it.

    Raises:
        RequestRefused: If the text itself starts with two BOS tokens.
    """
    start, ids = first_token(tokenizer), encode(tokenizer, text, special=False)
    refuse_double_bos(tokenizer, ids, text)
    return ids if ids[:1] == [start] else [start, *ids]


def cut_windows(
    ids: Sequence[int], size: int | None, stride: int | None = None, bos: BosPolicy = "document"
) -> list[Tail]:
    """Windows in which every token but the first is scored exactly once, with as much context as fits.

    The first window scores all it reads, each later one its last `stride` tokens. All windows but the first are
    full: the last one reaches back for context rather than being short.

    Args:
        ids: Token ids, BOS first.
        size: Most positions read at once; None for all.
        stride: Tokens that each window after the first scores; None for `size`.
        bos: Whether BOS is put before later windows too, where it takes one position.

    Source:
        lm-evaluation-harness, `get_rolling_token_windows` with `context_len = size − stride + 1`.
    """
    size = size or len(ids)
    starts = [1, *range(1 + size, len(ids), stride or size)]
    ends = [*starts[1:], len(ids)]
    return [
        Tail(_window(ids, end, size, bos), end - start) for start, end in zip(starts, ends, strict=True) if start < end
    ]


def _window(ids: Sequence[int], end: int, size: int, bos: BosPolicy) -> tuple[int, ...]:
    """Up to `size` ids that are read and the last one, which is scored only."""
    if bos == "window":
        return ids[0], *ids[max(1, end - size) : end]
    return tuple(ids[max(0, end - size - 1) : end])
