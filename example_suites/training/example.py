"""What the model is trained on: an answer to a question, or a plain text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """One training example."""

    answer: str
    """What the model must write; a whole text where `question` is empty."""
    question: str = ""
    """The user's message, or empty for a plain text without chat template."""
    weight: float = 1.0
    """Weight of each token of the answer in the loss."""


@dataclass(frozen=True)
class Row:
    """One line of a data file: an identifier and the columns after it."""

    id: str
    columns: dict[str, object]

    @property
    def question(self) -> str:
        """The text that must not occur twice in a file, nor in training."""
        return str(self.columns.get("question", self.columns.get("text")))
