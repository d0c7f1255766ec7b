"""Tokens are counted truly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import CapabilityMissing
from pytest_llmval.scoring.serving.contract.asking import TOKENS, ask, questions_for
from pytest_llmval.scoring.serving.contract.renderings import plain_count, rendering_counts
from pytest_llmval.scoring.serving.contract.report import Breach, Note, ServerReport, report_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.scoring.serving.contract.asking import Asked, Question, Reference
    from pytest_llmval.scoring.serving.contract.report import Outcome
    from pytest_llmval.servers.exchange import Response


def check_usage(llm: Asked, prompts: Sequence[str], reference: Reference | None = None) -> ServerReport:
    """Tokens out are as many as ids, logprobs and, where that ended the answer, `max_tokens`; all as the reference.

    Whether the token that ends an answer counts is a custom of each server, so that one more or less may be counted
    where the model ended it. A conversation that was read otherwise than the reference renders it is counted truly;
    that is the matter of `check_chat_template`.

    Raises:
        CapabilityMissing: If the server does not count.
    """
    outcomes: list[Outcome] = []
    for question in questions_for(llm, prompts):
        response = ask(llm, question, logprobs=0 if llm.capabilities.logprobs else None)
        _refuse_uncounted(llm, response)
        outcomes += [*_out(question, response), *_as_reference(question, response, reference)]
    notes = [] if reference is not None else [Note("without a reference, tokens in are not looked at")]
    return report_of("usage", [*outcomes, *notes])


def _refuse_uncounted(llm: Asked, response: Response) -> None:
    if not response.usage.prompt_tokens and not response.usage.completion_tokens:
        msg = f"version {llm.version!r} lacks the capability 'usage': no number of tokens came with the answer"
        raise CapabilityMissing(msg)


def _out(question: Question, response: Response) -> Iterator[Outcome]:
    """What an answer says of its own length."""
    count, slack = response.usage.completion_tokens, int(response.finish_reason == "stop")
    for name, found in (("token ids", response.token_ids), ("logprobs", response.logprobs)):
        if found:
            yield _counted(question, count, len(found), slack, f"as the {len(found)} {name} that came with them")
    if response.finish_reason == "length":
        yield _counted(question, count, TOKENS, 0, f"{TOKENS}, since max_tokens={TOKENS} ended it")


def _counted(question: Question, count: int, expected: int, slack: int, wanted: str) -> Outcome:
    if abs(count - expected) <= slack:
        return None
    return Breach(str(question), f"usage counts {count} tokens out", wanted)


def _as_reference(question: Question, response: Response, reference: Reference | None) -> Iterator[Outcome]:
    if reference is None:
        return
    expected = ask(reference, question)
    if response.text == expected.text:
        count, slack = expected.usage.completion_tokens, int(response.finish_reason == "stop")
        yield _counted(question, response.usage.completion_tokens, count, slack, f"{count}, as the reference")
    yield _in(question, response.usage.prompt_tokens, reference)


def _in(question: Question, count: int, reference: Reference) -> Outcome:
    tokenizer = reference.tokenizer
    if isinstance(question.prompt, str):
        possible = [plain_count(tokenizer, question.prompt)]
    else:
        possible = list(rendering_counts(tokenizer, question.prompt).values())
    if count in possible:
        return None
    return Breach(str(question), f"usage counts {count} tokens in", f"{possible[0]}, as the reference's tokenizer")
