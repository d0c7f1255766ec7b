"""An answer ends before a stop string."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.serving.contract.asking import ask, described, questions_for
from pytest_llmval.scoring.serving.contract.report import Breach, ServerReport, report_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.scoring.serving.contract.asking import Asked, Question
    from pytest_llmval.scoring.serving.contract.report import Outcome
    from pytest_llmval.servers.exchange import Response

_WITHIN = re.compile(r"[A-Za-z0-9]{2,6}")
_ACROSS = re.compile(r"[A-Za-z0-9]{1,2}[ ,.;:!?'\"-]+[A-Za-z0-9]{1,2}")
"""Reaches over the end of a word, where with nearly every tokenizer another token begins."""


def check_stop(llm: Asked, prompts: Sequence[str]) -> ServerReport:
    """Stop strings out of the middle of greedy answers, within a word and across the end of one.

    Raises:
        CapabilityMissing: If the server refuses stop strings.
        InvalidComparison: If no answer has anything to stop at.
    """
    outcomes = list(_outcomes(llm, questions_for(llm, prompts)))
    if not outcomes:
        msg = f"stop strings: no answer of {llm.version!r} has letters to stop at; expected prompts that it answers"
        raise InvalidComparison(msg)
    return report_of("stop strings", outcomes)


def stop_strings(text: str) -> list[str]:
    """Parts of a text at which it can be stopped: one across the end of a word, one within a word; or fewer.

    >>> stop_strings("The library opens at nine")
    ['ry op', 'at']
    """
    found = ([each.group() for each in pattern.finditer(text) if each.start()] for pattern in (_ACROSS, _WITHIN))
    return [pieces[len(pieces) // 2] for pieces in found if pieces]


def _outcomes(llm: Asked, questions: Sequence[Question]) -> Iterator[Outcome]:
    for question in questions:
        whole = ask(llm, question)
        for stop in stop_strings(whole.text):
            options = {"stop": [stop]}
            response = ask(llm, question, "stop", **options)
            yield _judged(described(question, **options), stop, response, whole.text)


def _judged(asked: str, stop: str, response: Response, whole: str) -> Outcome:
    expected = whole[: whole.index(stop)]
    wanted = f"{expected!r}, finish reason 'stop'"
    if response.text != expected:
        return Breach(asked, f"{response.text!r}{_fault(response.text, stop, whole)}", wanted)
    if response.finish_reason != "stop":
        return Breach(asked, f"the right text, but finish reason {response.finish_reason!r}", wanted)
    return None


def _fault(text: str, stop: str, whole: str) -> str:
    if text == whole:
        return ": the stop string does nothing"
    if stop in text:
        return ": it ends at the stop string, but has it in it"
    return ""
