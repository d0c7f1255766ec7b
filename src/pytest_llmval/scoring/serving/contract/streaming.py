"""A streamed answer is the whole answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.serving.contract.asking import ask, described, questions_for
from pytest_llmval.scoring.serving.contract.report import Breach, ServerReport, report_of
from pytest_llmval.scoring.serving.contract.stopping import stop_strings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.scoring.serving.contract.asking import Asked, Question
    from pytest_llmval.scoring.serving.contract.report import Outcome
    from pytest_llmval.servers.exchange import Response


def check_streaming(llm: Asked, prompts: Sequence[str]) -> ServerReport:
    """Text, finish reason and, where both ways count, usage; with a stop string too, which is easily let through.

    Raises:
        CapabilityMissing: If the server does not stream.
    """
    return report_of("streaming", _outcomes(llm, questions_for(llm, prompts)))


def _outcomes(llm: Asked, questions: Sequence[Question]) -> Iterator[Outcome]:
    for question in questions:
        whole = ask(llm, question)
        yield _compared(described(question), ask(llm, question, "streaming", stream=True), whole)
        for stop in stop_strings(whole.text)[:1]:
            options = {"stop": [stop]}
            streamed = ask(llm, question, "streaming", stream=True, **options)
            yield _compared(described(question, **options), streamed, ask(llm, question, "stop", **options))


def _compared(asked: str, streamed: Response, whole: Response) -> Outcome:
    ours, theirs = _parts(streamed), _parts(whole)
    apart = [name for name in theirs if ours[name] != theirs[name] and None not in (ours[name], theirs[name])]
    if not apart:
        return None
    came = ", ".join(f"{name} {ours[name]!r}" for name in apart)
    return Breach(f"{asked}, in pieces", came, ", ".join(f"{name} {theirs[name]!r}" for name in apart) + ", as in one")


def _parts(response: Response) -> dict[str, object]:
    """What both ways have to tell; None for what is not told."""
    usage = response.usage
    return {
        "text": response.text,
        "finish reason": response.finish_reason,
        "tokens in": usage.prompt_tokens or None,
        "tokens out": usage.completion_tokens or None,
    }
