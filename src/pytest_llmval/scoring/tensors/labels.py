"""Names of axes and texts of tokens: an index becomes a place that a reader knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Tokens = Sequence[str] | Sequence[Sequence[str]]
"""Text of each token: `[positions]`, or `[batch, positions]` where the first axis is the batch."""

_POSITION_NAMES = ("pos", "position", "token", "seq")


@dataclass(frozen=True, slots=True)
class Labels:
    """What the axes of a tensor are called, and which texts its positions have."""

    axes: tuple[str, ...] = ()
    """One name an axis, or none at all."""
    tokens: Tokens = ()

    def place(self, index: tuple[int, ...]) -> str:
        """An index as it reads in a message.

        >>> Labels(("batch", "pos", "channel"), ["a", " the"]).place((2, 1, 7))
        "[batch 2, pos 1, channel 7] (token ' the')"
        """
        names = self.axes or [""] * len(index)
        inside = ", ".join(f"{name} {place}".strip() for name, place in zip(names, index, strict=True))
        return f"[{inside}]{self._token_text(index, self._position_axis(len(index)))}"

    def position(self, index: tuple[int, ...]) -> str:
        """The index of a whole position, the last of its axes, as it reads in a message.

        >>> Labels(tokens=["a", " the"]).position((1,))
        "[1] (token ' the')"
        """
        return f"{list(index)}{self._token_text(index, len(index) - 1)}"

    def axis_name(self, axis: int) -> str:
        """The name of an axis, empty when it has none."""
        return self.axes[axis] if self.axes else ""

    def axis_number(self, axis: int | str, dimensions: int) -> int:
        """The number of an axis that is given by number or name.

        Raises:
            ValueError: If there is no such axis.
        """
        if isinstance(axis, str) and axis in self.axes:
            return self.axes.index(axis)
        if isinstance(axis, int) and -dimensions <= axis < dimensions:
            return axis % dimensions
        known = ", ".join(map(repr, self.axes)) or "none named; name them by axes=(...)"
        msg = f"per_axis={axis!r}; expected a number below {dimensions} or a name of an axis ({known})"
        raise ValueError(msg)

    def _token_text(self, index: tuple[int, ...], axis: int) -> str:
        """The token at an index in words, empty when it is not known."""
        if not len(self.tokens) or not index:
            return ""
        row = self.tokens
        if not isinstance(row[0], str):
            row = row[index[0]] if index[0] < len(row) else ()
        return f" (token {row[index[axis]]!r})" if index[axis] < len(row) else ""

    def _position_axis(self, dimensions: int) -> int:
        """The axis whose name says so, else the last but one: hidden states and logits end with channels."""
        named = [axis for axis, name in enumerate(self.axes) if name.startswith(_POSITION_NAMES)]
        return named[0] if named else max(0, dimensions - 2)
