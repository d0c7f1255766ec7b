"""Company does not change a greedy answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_llmval.errors import RequestRefused
from pytest_llmval.scoring.serving.contract.asking import TOKENS, ask, described, questions_for
from pytest_llmval.scoring.serving.contract.differing import TOP, judged
from pytest_llmval.scoring.serving.contract.report import Breach, Note, ServerReport, report_of
from pytest_llmval.scoring.serving.contract.tolerance import USUAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.scoring.serving.contract.asking import Asked, Question, Reference
    from pytest_llmval.scoring.serving.contract.report import Outcome
    from pytest_llmval.scoring.serving.contract.tolerance import Tolerance
    from pytest_llmval.servers.exchange import Response

ROUNDS = 3
"""How often each prompt is asked alone, and how often among the others."""


def check_concurrency(
    llm: Asked, prompts: Sequence[str], reference: Reference | None = None, tolerance: Tolerance = USUAL
) -> ServerReport:
    """The same prompts one by one and all at once, each several times, give one text each.

    Where the reference finds two tokens equally probable, either may come; without a reference nothing is excused.
    """
    questions = questions_for(llm, prompts)
    questions = [each for each in questions if each.is_chat == questions[0].is_chat]
    alone = [[ask(llm, question) for _ in range(ROUNDS)] for question in questions]
    together = _together(llm, questions)
    outcomes = [
        _judged(question, ones, others, reference, tolerance.tie)
        for question, ones, others in zip(questions, alone, together, strict=True)
    ]
    return report_of("concurrency", outcomes)


def _together(llm: Asked, questions: Sequence[Question]) -> list[list[Response]]:
    """All questions several times in one call, which sends them at the same time: the answers of each."""
    prompts = [question.prompt for question in questions] * ROUNDS
    answers: list[Response] = (llm.chat if questions[0].is_chat else llm.generate)(prompts, max_tokens=TOKENS)
    for response in answers:
        if response.error is not None:
            msg = f"version {llm.version!r}: asked {len(prompts)} at once, it said: {response.error}"
            raise RequestRefused(msg)
    return [answers[at :: len(questions)] for at in range(len(questions))]


def _judged(
    question: Question, alone: list[Response], together: list[Response], reference: Reference | None, tie: float
) -> Outcome:
    ones, others = Counter(each.text for each in alone), Counter(each.text for each in together)
    if len({*ones, *others}) == 1:
        return None
    came = f"alone {_told(ones)}; among others {_told(others)}"
    if reference is not None and _are_ties(question, [*alone, *together], reference, tie):
        return Note(f"a tie, {question}: {came}")
    asked = described(question)
    return Breach(f"{asked}, {ROUNDS} times alone and {ROUNDS} times among others", came, "one text")


def _told(texts: Counter[str]) -> str:
    return ", ".join(f"{text!r} ({count} times)" for text, count in texts.items())


def _are_ties(question: Question, responses: list[Response], reference: Reference, tie: float) -> bool:
    expected = ask(reference, question, logprobs=TOP)
    return not any(isinstance(judged("", each, expected, reference.tokenizer, tie), Breach) for each in responses)
