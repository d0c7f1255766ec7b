"""What was asked otherwise than when a golden was written: then the answers cannot be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.golden.answer import DEFAULTS
from pytest_llmval.scoring.golden.escaping import one_line, visible
from pytest_llmval.scoring.golden.word_diff import diff_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.golden.answer import Answer, Asked

_LONGEST = 80
_NOT_COMPARED = "logprobs"
"""It changes what is told of an answer, and not the answer."""


def changes_in_asking(golden: Answer, actual: Answer) -> tuple[str, ...]:
    """What changed in prompt, options, decoding and seed; empty when nothing did, or one side does not know them."""
    if golden.asked is None or actual.asked is None:
        return ()
    return tuple(_changes(golden.asked, actual.asked))


def _changes(golden: Asked, actual: Asked) -> Iterator[str]:
    if golden.prompt != actual.prompt:
        yield f"prompt: {_prompt_change(golden, actual)}"
    if golden.choices != actual.choices:
        yield f"choices: {_listed(golden.choices)} -> {_listed(actual.choices)}"
    for name in DEFAULTS:
        old, new = golden.decoding[name], actual.decoding[name]
        if name != _NOT_COMPARED and old != new:
            yield f"{name}: {_value(old)} -> {_value(new)}"
    if golden.seed != actual.seed and None not in (golden.seed, actual.seed):
        yield f"seed: {golden.seed} -> {actual.seed}"


def _prompt_change(golden: Asked, actual: Asked) -> str:
    kinds = ["text" if isinstance(each.prompt, str) else "messages" for each in (golden, actual)]
    shown = diff_text(_prompt_text(golden), _prompt_text(actual))
    return shown if kinds[0] == kinds[1] else f"{kinds[0]} -> {kinds[1]}: {shown}"


def _value(value: object) -> str:
    text = visible(repr(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _prompt_text(asked: Asked) -> str:
    if isinstance(asked.prompt, str):
        return asked.prompt
    return "\n".join(f"{role}: {content}" for role, content in asked.prompt)


def _listed(choices: tuple[str, ...]) -> str:
    return ", ".join(map(one_line, choices)) or "none"
