"""Greedy answers are the reference's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.serving.contract.asking import ask, questions_for
from pytest_llmval.scoring.serving.contract.differing import TOP, judged
from pytest_llmval.scoring.serving.contract.report import ServerReport, report_of
from pytest_llmval.scoring.serving.contract.tolerance import USUAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.scoring.serving.contract.asking import Asked, Question, Reference
    from pytest_llmval.scoring.serving.contract.report import Outcome
    from pytest_llmval.scoring.serving.contract.tolerance import Tolerance


def check_greedy(
    llm: Asked, reference: Reference, prompts: Sequence[str], tolerance: Tolerance = USUAL
) -> ServerReport:
    """Text and finish reason of plain prompts; conversations are the matter of `check_chat_template`.

    A difference is explained by its first token. Where the reference finds two tokens equally probable, either may
    come; that is noted.
    """
    questions = [each for each in questions_for(llm, prompts) if not each.is_chat]
    return report_of("greedy answers", judge_greedy(llm, reference, questions, tolerance))


def judge_greedy(
    llm: Asked, reference: Reference, questions: Sequence[Question], tolerance: Tolerance
) -> Iterator[Outcome]:
    """One outcome a question."""
    for question in questions:
        response, expected = ask(llm, question), ask(reference, question, logprobs=TOP)
        yield judged(str(question), response, expected, reference.tokenizer, tolerance.tie)
