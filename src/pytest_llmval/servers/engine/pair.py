"""A context and what follows it, as token ids."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_llmval.servers.engine.token_scores import Tail


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids of a context, at least one, and of the continuation that is scored."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]

    @property
    def tail(self) -> Tail:
        """Both as one row."""
        return Tail(self.context + self.continuation, len(self.continuation))
