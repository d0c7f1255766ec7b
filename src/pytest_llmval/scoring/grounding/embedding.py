"""Support by vectors: how near a claim comes to a sentence of the context."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.scoring.encoder import encoder_of, identity_of, similarities
from pytest_llmval.scoring.grounding.support import Support
from pytest_llmval.scoring.sentences import sentences_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.scoring.grounding.support import Claim
    from pytest_llmval.servers.engine.embedding import TextEncoder


@dataclass(frozen=True, slots=True)
class _ByEmbedding:
    encoder: TextEncoder
    at_least: float
    judge: str = ""

    @property
    def name(self) -> str:
        return f"by_embedding(at_least={self.at_least:g})"

    @property
    def version(self) -> str:
        return f"1 encoder {identity_of(self.encoder)}"

    def decide(self, claims: Sequence[Claim]) -> list[Support]:
        passages = dict.fromkeys(claim.passages for claim in claims)
        places = {each: [sentence for passage in each for sentence in sentences_of(passage)] for each in passages}
        pairs = [(claim.text, place) for claim in claims for place in places[claim.passages]]
        cosines = similarities(self.encoder, pairs, "by_embedding")
        return [self._support(claim.text, places[claim.passages], cosines) for claim in claims]

    def _support(self, claim: str, places: list[str], cosines: dict[tuple[str, str], float]) -> Support:
        nearest = max(places, key=lambda place: cosines[claim, place])
        score = cosines[claim, nearest]
        return Support(claim, "supported" if score >= self.at_least else "not stated", nearest, score)


def by_embedding(encoder: str | Path | TextEncoder, at_least: float = 0.8) -> _ByEmbedding:
    """A claim is supported when its vector is near that of one sentence of the context.

    Other words for the same thing are found, but so are sentences about the same thing that say the opposite, and
    contradictions never. The right bar differs from encoder to encoder: measure it on claims that you have labelled.

    Args:
        encoder: Folder with a model, relative to the file that calls; or a hub id; or a `TextEncoder`.
        at_least: Cosine, in [−1, 1].

    Raises:
        ValueError: If the cosine is out of range.
        SettingsError: If there is no such model, or its libraries are not installed.
    """
    if not -1 <= at_least <= 1:
        msg = f"by_embedding(at_least={at_least!r}): expected a cosine, in [-1, 1]"
        raise ValueError(msg)
    folder = Path(sys._getframe(1).f_code.co_filename).parent  # noqa: SLF001 - as in cases()
    return _ByEmbedding(encoder_of(encoder, "by_embedding", folder), at_least)
