"""The chat template is applied, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import CapabilityMissing
from pytest_llmval.scoring.serving.contract.asking import Question, ask, chat, chats_with, completes, conversation_of
from pytest_llmval.scoring.serving.contract.greedy import judge_greedy
from pytest_llmval.scoring.serving.contract.renderings import ONCE, plain_count, rendering_counts
from pytest_llmval.scoring.serving.contract.report import Breach, Note, ServerReport, report_of
from pytest_llmval.scoring.serving.contract.tolerance import USUAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.scoring.serving.contract.asking import Asked, Reference
    from pytest_llmval.scoring.serving.contract.report import Outcome
    from pytest_llmval.scoring.serving.contract.tolerance import Tolerance


def check_chat_template(
    llm: Asked, reference: Reference, prompts: Sequence[str], tolerance: Tolerance = USUAL
) -> ServerReport:
    """Conversations have the tokens of the reference's rendering, and its greedy answers.

    A number of tokens that belongs to another rendering is told with it: the template twice, or BOS, or none.

    Raises:
        CapabilityMissing: If the server or the model does not chat.
    """
    if not chats_with(llm) or reference.tokenizer.chat_template is None:
        msg = f"version {llm.version!r} lacks the capability 'chat': the model has no chat template, or nobody asks it"
        raise CapabilityMissing(msg)
    questions = [*(chat(prompt) for prompt in prompts), chat(prompts[0], "Yes.", prompts[-1])]
    outcomes = [*_counts(llm, reference, questions), *judge_greedy(llm, reference, questions, tolerance)]
    return report_of("chat template", outcomes)


def _counts(llm: Asked, reference: Reference, questions: Sequence[Question]) -> Iterator[Outcome]:
    counts = [ask(llm, question, max_tokens=1).usage.prompt_tokens for question in questions]
    if not any(counts):
        yield Note("tokens in are not counted, so that only answers are compared")
        return
    expected = [rendering_counts(reference.tokenizer, conversation_of(question)) for question in questions]
    read = next((name for name in expected[0] if [each[name] for each in expected] == counts), "")
    if not read and not _counts_truly(llm, reference, questions):
        yield Note("tokens in are counted wrongly for plain prompts too, so that only answers are compared")
        return
    for question, count, wanted in zip(questions, counts, expected, strict=True):
        yield _judged(question, count, wanted[ONCE], read)


def _counts_truly(llm: Asked, reference: Reference, questions: Sequence[Question]) -> bool:
    """Whether the same messages as plain prompts are counted as the reference's tokenizer does."""
    if not completes(llm):
        return True
    texts = [conversation_of(question)[0].content for question in questions]
    counts = [ask(llm, Question(text), max_tokens=1).usage.prompt_tokens for text in texts]
    return counts == [plain_count(reference.tokenizer, text) for text in texts]


def _judged(question: Question, count: int, expected: int, read: str) -> Outcome:
    if count == expected:
        return None
    came = f"{count} tokens in" + (f", as with {read}" if read else "")
    return Breach(str(question), came, f"{expected}, as with {ONCE}")
