"""Measures: how alike two texts are, as other folders count it; the fixture hands them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.golden.tolerances import EmbeddingClose, SameText

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmval.scoring.golden.tolerances import Tolerance
    from pytest_llmval.scoring.score import Unscored


@dataclass(frozen=True, slots=True)
class Measures:
    """The functions that tolerances are made of; those of two texts take the answer before the golden."""

    rouge_l: Callable[[str, str], float | Unscored]
    """F-measure in [0, 1]."""
    cosine: Callable[[str, str, str], float | Unscored]
    """Cosine in [-1, 1] by the encoder in a folder, which comes first."""
    refuse_missing: Callable[[str], object]
    """Raises SettingsError where there is no such encoder; nothing is loaded."""
    normaliser: Callable[[Any], Callable[[str], str]]
    """What is done to a text, from its name, several names or a function; raises ValueError for an unknown name."""


def refuse_unknown_names(tolerance: Tolerance, measures: Measures) -> None:
    """Raise when a tolerance names what there is not: ValueError for a normalisation, SettingsError for an encoder.

    It would otherwise be noticed on the day that an answer changes.
    """
    __tracebackhide__ = True
    if isinstance(tolerance, EmbeddingClose):
        measures.refuse_missing(tolerance.encoder)
    if isinstance(tolerance, SameText) and tolerance.normalise is not None:
        measures.normaliser(tolerance.normalise)
