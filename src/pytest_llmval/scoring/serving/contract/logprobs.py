"""Logprobs come back, one a token, and are the reference's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.serving.contract.asking import TOKENS, ask, finding_of, is_pretended, questions_for
from pytest_llmval.scoring.serving.contract.explaining import agree, explanation, told
from pytest_llmval.scoring.serving.contract.report import Breach, Note, ServerReport, report_of
from pytest_llmval.scoring.serving.contract.tolerance import USUAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.scoring.serving.contract.asking import Asked, Question, Reference
    from pytest_llmval.scoring.serving.contract.report import Outcome
    from pytest_llmval.scoring.serving.contract.tolerance import Tolerance
    from pytest_llmval.servers.exchange import Response, TokenLogprob

NAME = "logprobs"
TOP = 2
"""Most probable tokens asked for beside the chosen one."""


def check_logprobs(
    llm: Asked, prompts: Sequence[str], reference: Reference | None = None, tolerance: Tolerance = USUAL
) -> ServerReport:
    """Of greedy answers, plain and chat: as many as tokens, none above 0, the chosen token the most probable.

    They are compared with the reference's where the whole answer is the same, so that the tokens are.

    Raises:
        CapabilityMissing: If the server says that it gives none; one that takes the request and ignores it fails.
    """
    if is_pretended(llm, NAME):
        return report_of(NAME, [_ignored(llm)])
    return report_of(NAME, _outcomes(llm, questions_for(llm, prompts), reference, tolerance))


def _ignored(llm: Asked) -> Breach:
    found = finding_of(llm, NAME)
    evidence = found.evidence if found else ""
    return Breach("greedy answers with logprobs", evidence, "one natural logprob a token, or a refusal with an error")


def _outcomes(
    llm: Asked, questions: Sequence[Question], reference: Reference | None, tolerance: Tolerance
) -> Iterator[Outcome]:
    compared = 0
    for question in questions:
        response = ask(llm, question, NAME, logprobs=TOP)
        yield from _sound(question, response, tolerance)
        if reference is None:
            continue
        expected = ask(reference, question, logprobs=TOP)
        if _are_alike(response, expected):
            compared += 1
            yield _as_reference(question, response, expected, tolerance)
    if not compared:
        why = "there is no reference" if reference is None else "no answer is the reference's"
        yield Note(f"{why}, so that the values of logprobs are not compared")


def _sound(question: Question, response: Response, tolerance: Tolerance) -> Iterator[Outcome]:
    entries = response.logprobs or ()
    count = TOKENS if response.finish_reason == "length" else len(response.token_ids)
    if not entries or (count and len(entries) != count):
        yield Breach(str(question), f"{len(entries)} logprobs", f"{count}, one a token" if count else "one a token")
    for place, entry in enumerate(entries):
        yield _judged(f"{question}, token {place}", entry, tolerance)


def _judged(asked: str, entry: TokenLogprob, tolerance: Tolerance) -> Outcome:
    if not entry.logprob <= 0:
        return Breach(asked, f"{entry.logprob:.4f} for {entry.token!r}", "the logarithm of a probability, at most 0")
    most = max((logprob for _, logprob in entry.top), default=entry.logprob)
    if most > entry.logprob + tolerance.largest:
        return Breach(
            asked, f"{entry.logprob:.4f} for {entry.token!r}, and {most:.4f} for another", "the most probable"
        )
    return None


def _are_alike(response: Response, expected: Response) -> bool:
    """Whether two answers must have been written with the same probabilities."""
    read = response.usage.prompt_tokens
    return response.text == expected.text and read in (0, expected.usage.prompt_tokens)


def _as_reference(question: Question, response: Response, expected: Response, tolerance: Tolerance) -> Outcome:
    values = [entry.logprob for entry in response.logprobs or ()]
    wanted = [entry.logprob for entry in expected.logprobs or ()]
    if abs(len(values) - len(wanted)) > 1:  # some servers leave out the token that ends an answer
        return Breach(str(question), f"{len(values)} logprobs", f"{len(wanted)}, as the reference")
    if agree(values, wanted, tolerance):
        return None
    came, should = told(values, wanted)
    what = explanation(values, wanted, tolerance)
    return Breach(str(question), f"{came}{what and f': {what}'}", f"{should}, as the reference")
