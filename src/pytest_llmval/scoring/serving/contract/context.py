"""The length of the context is respected."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import BudgetSpent, CapabilityMissing, ServerError
from pytest_llmval.scoring.serving.contract.asking import Question, ask, chat, completes, counted
from pytest_llmval.scoring.serving.contract.renderings import plain_count
from pytest_llmval.scoring.serving.contract.report import Breach, Note, ServerReport, report_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.serving.contract.asking import Asked, Reference
    from pytest_llmval.scoring.serving.contract.report import Outcome
    from pytest_llmval.servers.exchange import Response

NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
"""What configurations call the length of the context."""
WORD = " word"
BEYOND = 64
"""Words by which a prompt is too long, each at least a token."""
ROOM = 8
"""Tokens that are left for the answer to a prompt that fills the context, about."""
SLACK = 8
"""Tokens by which counts may be wrong, which is another check's matter."""
WANTED = ROOM + BEYOND
"""Most tokens asked for then."""
SAMPLE = 16


def context_length_of(tokenizer: Any) -> int | None:
    """The most positions that the model beside a tokenizer was built for; None where no config says."""
    path = Path(tokenizer.name_or_path) / "config.json"
    if not path.is_file():
        return None
    config = json.loads(path.read_text(encoding="utf-8"))
    values = [level.get(name) for level in (config, config.get("text_config") or {}) for name in NAMES]
    return next((value for value in values if isinstance(value, int)), None)


def check_context(llm: Asked, context_length: int, reference: Reference | None = None) -> ServerReport:
    """A prompt that is too long is refused, and an answer ends where the context does; the server lives on.

    Args:
        llm: The version.
        context_length: Tokens, prompt and answer together.
        reference: Whose tokenizer counts; else the server's usage is believed.
    """
    return report_of("context length", _Crossing(llm, context_length, reference).outcomes())


@dataclass(frozen=True, slots=True)
class _Crossing:
    llm: Asked
    context_length: int
    reference: Reference | None

    def outcomes(self) -> Iterator[Outcome]:
        before = ask(self.llm, self._question("Hello")).text
        yield self._too_long()
        yield self._lives("a prompt that is too long", before)
        words = self._words_that_fill()
        if not words:
            yield Note("tokens in are not counted, so that no prompt was made that just fills the context")
            return
        yield self._to_the_end(WORD * words)
        yield self._lives("an answer that goes beyond the context", before)

    def _question(self, text: str) -> Question:
        return Question(text) if completes(self.llm) else chat(text)

    def _too_long(self) -> Outcome:
        words = self.context_length + BEYOND
        asked = f"a prompt of {words} words, at least as many tokens"
        wanted = f"an error of status 400, since the context has {self.context_length} tokens"
        try:
            response = self._question(WORD * words).to(self.llm, max_tokens=ROOM)
        except (CapabilityMissing, BudgetSpent):
            raise
        except ServerError as fault:
            return Breach(asked, str(fault), wanted)
        if response.error is not None:
            return None
        return Breach(asked, f"an answer, {response.text!r:.120}{_read(response)}", wanted)

    def _to_the_end(self, prompt: str) -> Outcome:
        count = self._count(prompt)
        asked = f"a prompt of {count} tokens with max_tokens={WANTED}"
        wanted = f"an error, or at most {self.context_length - count} tokens, where the context ends"
        try:
            response = self._question(prompt).to(self.llm, max_tokens=WANTED)
        except (CapabilityMissing, BudgetSpent):
            raise
        except ServerError as fault:
            return Breach(asked, str(fault), wanted)
        if response.error is not None or counted(response) <= self.context_length - count + SLACK:
            return None
        return Breach(asked, f"an answer of {counted(response)} tokens", wanted)

    def _lives(self, after: str, before: str) -> Outcome:
        question = self._question("Hello")
        asked = f"{question}, after {after}"
        try:
            found = ask(self.llm, question).text
        except (CapabilityMissing, BudgetSpent):
            raise
        except ServerError as fault:
            return Breach(asked, str(fault), f"{before!r}, as before it")
        return None if found == before else Breach(asked, repr(found), f"{before!r}, as before it")

    def _words_that_fill(self) -> int:
        """Words that leave `ROOM` tokens, about; 0 where nobody counts."""
        few, more = self._count(WORD * SAMPLE), self._count(WORD * 2 * SAMPLE)
        if few == more:
            return 0
        return SAMPLE + (self.context_length - ROOM - few) * SAMPLE // (more - few)

    def _count(self, text: str) -> int:
        if self.reference is not None and not self._question(text).is_chat:
            return plain_count(self.reference.tokenizer, text)
        return ask(self.llm, self._question(text), max_tokens=1).usage.prompt_tokens


def _read(response: Response) -> str:
    count = response.usage.prompt_tokens
    return f", after reading {count} tokens" if count else ""
