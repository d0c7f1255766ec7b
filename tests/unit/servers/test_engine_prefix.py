"""A start that batches have in common is read once, whichever call they belong to."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.exchange import Decoding, Request

LEAD = "You can return a book at any branch; late returns cost ten cents a day. " * 2
PLACES = ["the library", "a branch", "Köln", "Saturdays", "the book", "ten cents"]


def choices(places: list[str]) -> list[Request]:
    """Questions with options after a long common start."""
    return [Request(f"{LEAD}Where? {place}", (" yes", " no", " never")) for place in places]


def prompts(places: list[str]) -> list[Request]:
    """Prompts with a long common start."""
    return [Request(f"{LEAD}Where? {place}", decoding=Decoding(max_tokens=6, logprobs=1)) for place in places]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that gives the tokens an engine's model has read so far."""

    def count(engine: TransformersEngine) -> list[int]:
        forward, seen = engine.network.model.forward, []

        def counting(*args: Any, **options: Any) -> Any:
            seen.append(options["input_ids"].numel())
            return forward(*args, **options)

        monkeypatch.setattr(engine.network.model, "forward", counting)
        return seen

    return count


def without_times(responses: list[Any]) -> list[Any]:
    """The responses as they would be at any other time."""
    return [dataclasses.replace(response, timing=None) for response in responses]


@pytest.mark.parametrize("ask", [choices, prompts])
def test_the_second_call_reads_the_start_no_more(tiny_model: Any, read: Any, ask: Any) -> None:
    """To the last bit its answers are those of an engine that was asked nothing before."""
    engine, fresh = (TransformersEngine(tiny_model("llama")) for _ in range(2))
    lead = engine.count_tokens(LEAD)
    engine.answer(ask(PLACES[:3]))
    seen, expected = read(engine), read(fresh)

    answers, anew = engine.answer(ask(PLACES[3:])), fresh.answer(ask(PLACES[3:]))

    assert without_times(answers) == without_times(anew)
    assert lead > 20
    assert sum(expected) - sum(seen) >= lead - 1


def test_another_start_takes_its_place(tiny_model: Any) -> None:
    """Only the last one is kept, and a start that is partly the same is another one."""
    engine, fresh = (TransformersEngine(tiny_model("llama")) for _ in range(2))
    engine.answer(choices(PLACES))
    other = [dataclasses.replace(each, prompt=f"Now. {each.prompt}") for each in choices(PLACES)]

    assert without_times(engine.answer(other)) == without_times(fresh.answer(other))
    assert without_times(engine.answer(choices(PLACES))) == without_times(fresh.answer(choices(PLACES)))
    engine.close()
