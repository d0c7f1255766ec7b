"""The likelihood of whole texts, from the logprobs that a server gives of their tokens."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.exchange import DocumentLikelihood
from pytest_llmval.servers.perplexity_protocol import WHOLE
from pytest_llmval.servers.remote.echoes import text_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.reference import Reference


def read_document(body: dict[str, Any], text: str) -> DocumentLikelihood:
    """The likelihood of a text, every token of which must have its logprob.

    Raises:
        RequestRefused: If one has none, as the first has that no BOS stands before, or the tokens are not the text's.
    """
    inside = [each.token for each in text_tokens(body, text) if each.start >= 0]
    known = [token.logprob for token in inside if token.logprob is not None]
    if not known or len(known) < len(inside):
        lost = f"{len(inside) - len(known)} of {len(inside)} tokens have no logprob"
        msg = f"{lost}; expected BOS before the text, and a logprob of each token of it"
        raise RequestRefused(msg)
    return DocumentLikelihood(math.fsum(known), len(known))


def with_protocol(
    found: Sequence[DocumentLikelihood], texts: Sequence[str], reference: Reference, dtype: str | None
) -> list[DocumentLikelihood]:
    """The same with how it was taken: as the engine says it, where the tokenizer is known."""
    if not reference.is_known:
        return list(found)
    from pytest_llmval.servers.engine.documents import encode_document, protocol_of

    ids = [encode_document(reference.tokenizer, text) for text in texts]
    protocol = dataclasses.replace(protocol_of(ids, [], WHOLE), dtype=dtype)
    return [dataclasses.replace(each, protocol=protocol) for each in found]
