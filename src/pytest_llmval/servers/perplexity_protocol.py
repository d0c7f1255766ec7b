"""How the likelihood of whole texts is taken: the windows asked for, and the protocol that came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

BosPolicy = Literal["document", "window"]


@dataclass(frozen=True, slots=True)
class Windows:
    """How a text is read that is longer than the model reads at once."""

    size: int | None = None
    """Most positions read at once; None for as many as the model has."""
    stride: int | None = None
    """Tokens that each window after the first scores, 1 ≤ stride ≤ size; the rest of it is context. None for `size`,
    where a window starts with the last token of the one before."""
    bos: BosPolicy = "document"
    """Where BOS stands: before the text only, or before each of its windows too."""

    def __post_init__(self) -> None:
        """Refuse windows that score nothing, or tokens more than once."""
        if self.size is not None and self.size < 1:
            msg = f"window={self.size!r}; expected at least 1 position"
            raise ValueError(msg)
        if self.stride is not None and not 1 <= self.stride <= (self.size or self.stride):
            msg = f"stride={self.stride!r}; expected 1 to window={self.size!r}, so that each token is scored once"
            raise ValueError(msg)
        if self.bos not in get_args(BosPolicy):
            msg = f"bos={self.bos!r}; expected 'document' or 'window'"
            raise ValueError(msg)

    def within(self, context_length: int | None) -> Windows:
        """These windows for a model with so many positions; None where it does not say.

        Raises:
            ValueError: If the model cannot read so much at once, or the stride is longer than its context.
        """
        if context_length is None:
            return self
        if self.size is not None and self.size > context_length:
            msg = f"window={self.size}; expected at most the {context_length} positions that the model has"
            raise ValueError(msg)
        return Windows(self.size or context_length, self.stride, self.bos)


WHOLE = Windows()
"""As much at once as the model reads, with BOS before each text."""


@dataclass(frozen=True, slots=True)
class PerplexityProtocol:
    """What a perplexity depends on besides the model and the text; figures of different protocols do not compare.

    Where every text fits one window, nothing was cut: window and stride are None, and BOS stands before documents.
    """

    window: int | None
    """Most positions read at once."""
    stride: int | None
    """Tokens that each window after the first scores."""
    bos: BosPolicy
    """Where the model's BOS stands, or its EOS if it has no BOS."""
    tokenization: str
    """Hash of the token ids that the texts became: equal when two tokenizers cut these texts alike."""
    scored: str = "each token once, BOS never"
    """The region whose tokens count."""
    dtype: str | None = "float32"
    """In which logits are normalised, whatever the model's own dtype; None where a server
    does not tell. Sums are exact."""

    def facts(self) -> tuple[tuple[str, str], ...]:
        """Field by field as text, for comparison and for records; without a dtype that is not known."""
        named = ((name, getattr(self, name)) for name in self.__slots__ if name != "dtype" or self.dtype)
        return tuple((name, "none, texts are read whole" if value is None else str(value)) for name, value in named)
