"""Embedding similarity: the cosine of answer and reference."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.scoring.encoder import encoder_of, identity_of, similarities
from pytest_llmval.scoring.scored import as_sequence, empty_scores, score_responses
from pytest_llmval.scoring.text.answers import each_ask
from pytest_llmval.scoring.text.references import NO_REFERENCE, reference_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.score import Scores, Unscored
    from pytest_llmval.servers.engine.embedding import TextEncoder
    from pytest_llmval.servers.exchange import Response

NAME = "embedding_similarity"


def embedding_similarity(responses: Iterable[Response], encoder: str | Path | TextEncoder) -> Scores:
    """Cosine of the vectors of answer and reference, in [−1, 1]; of several references the nearest.

    A blank answer scores 0; a case without a reference stays `Unscored`. What a cosine means differs from encoder to
    encoder: many call unrelated texts 0.7 alike. Scores by different encoders are not compared.

    Args:
        responses: Responses to a case set with `reference=`, which gives a text or a list of them.
        encoder: Folder with a model, relative to the file that calls; or a hub id; or a `TextEncoder`, for example
            with more threads.

    Raises:
        SettingsError: If there is no such model, or its libraries are not installed.
        ServerError: If it cannot be loaded or fails.
    """
    opened = encoder_of(encoder, NAME, Path(sys._getframe(1).f_code.co_filename).parent)  # noqa: SLF001 - as in cases()
    answered = as_sequence(responses)
    cosines = similarities(opened, _pairs(answered), NAME)

    def nearest(case: Case, response: Response) -> float | Unscored:
        expected = reference_texts(case)
        return max(cosines[response.text, each] for each in expected) if expected else NO_REFERENCE

    return score_responses(
        answered, nearest, empty_scores(NAME, bounds=(-1.0, 1.0)), f"1 encoder {identity_of(opened)}"
    )


def _pairs(responses: Iterable[Response]) -> Iterator[tuple[str, str]]:
    """Each answer with each of its references."""
    for case, trial in each_ask(responses):
        if trial.error is None:
            yield from ((trial.text, each) for each in reference_texts(case))
