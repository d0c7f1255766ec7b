"""A seed decides what is sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.serving.contract.asking import ask, described, questions_for
from pytest_llmval.scoring.serving.contract.report import Breach, ServerReport, report_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.scoring.serving.contract.asking import Asked, Question
    from pytest_llmval.scoring.serving.contract.report import Outcome

TEMPERATURE = 2.0
"""The highest that the OpenAI interface takes, at which hardly a model is so sure that all samples are alike."""
SEEDS = (1, 2, 3, 4)
QUESTIONS = 3


def check_seed(llm: Asked, prompts: Sequence[str]) -> ServerReport:
    """The same seed gives the same text, and other seeds another; a temperature that does nothing is told apart.

    Raises:
        CapabilityMissing: If the server refuses to sample with a seed.
    """
    questions = questions_for(llm, prompts)[:QUESTIONS]
    drawn = [_Drawn.of(llm, question) for question in questions]
    if any(each.varies for each in drawn):
        return report_of("seed", [each.repeated() for each in drawn])
    return report_of("seed", [each.constant(llm) for each in drawn])


class _Drawn:
    """The samples of one question: each seed once, then each seed again."""

    def __init__(self, question: Question, first: list[str], again: list[str]) -> None:
        self._question = question
        self._first = first
        self._again = again

    @classmethod
    def of(cls, llm: Asked, question: Question) -> _Drawn:
        """Ask for them."""
        first, again = (
            [ask(llm, question, "seed", temperature=TEMPERATURE, seed=seed).text for seed in SEEDS] for _ in range(2)
        )
        return cls(question, first, again)

    @property
    def varies(self) -> bool:
        """Whether there are at least two texts."""
        return len({*self._first, *self._again}) > 1

    def repeated(self) -> Outcome:
        """Whether every seed gave its text again."""
        pairs = zip(SEEDS, self._first, self._again, strict=True)
        apart = [(seed, one, other) for seed, one, other in pairs if one != other]
        if not apart:
            return None
        seed, one, other = apart[0]
        what = "a seed that does nothing" if len(apart) == len(SEEDS) else f"{len(apart)} of {len(SEEDS)} seeds"
        asked = described(self._question, temperature=TEMPERATURE, seed=seed)
        return Breach(f"{asked}, twice", f"{one!r} and {other!r}: {what}", "the same text twice")

    def constant(self, llm: Asked) -> Outcome:
        """What does nothing where all samples of all questions are alike."""
        greedy = ask(llm, self._question).text
        what = "the greedy text: a temperature that does nothing, and so does the seed"
        if self._first[0] != greedy:
            what = f"while the greedy text is {greedy!r}: a seed that does nothing"
        asked = described(self._question, temperature=TEMPERATURE)
        came = f"{self._first[0]!r} each time, {what}"
        return Breach(f"{asked}, seeds {', '.join(map(str, SEEDS))}", came, "at least two texts")
