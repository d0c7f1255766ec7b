"""Waiting rows take the places of finished ones, and nobody's answer changes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.engine.generation import prepare_task
from pytest_llmval.servers.engine.prefill import find_stem, prefill
from pytest_llmval.servers.engine.running import admits
from pytest_llmval.servers.exchange import Decoding, Request
from pytest_llmval.settings import ModelSettings

EXAMPLE = Path(__file__).parents[3] / "example_suites" / "models" / "v1"
LEAD = "You can return a book at any branch; late returns cost ten cents a day."
LINES = ["The", "library hours", "naïve café, 東京", "Question: what does a lost card cost? Answer:", "🙂", "a b c d"]
LIMITS = [1, 12, 3, 7, 2, 9, 16]
VARIED = [(f"{LINES[at % 6]} {at}", LIMITS[at % 7]) for at in range(24)]
LED = [(f"{LEAD} {line}", limit) for line, limit in VARIED]


def requests_of(pairs: list[tuple[str, int]], **decoding: Any) -> list[Request]:
    """Requests for prompts with their own limits."""
    return [Request(prompt, decoding=Decoding(max_tokens=limit, **decoding)) for prompt, limit in pairs]


def mixed_requests(count: int) -> list[Request]:
    """Requests of every way to decode, each with its own seed."""
    draw = random.Random(3)
    ways: list[dict[str, Any]] = [
        {},
        {"temperature": 0.8},
        {"temperature": 1.0, "top_k": 20},
        {"temperature": 1.3, "top_p": 0.9},
        {"temperature": 0.7, "top_k": 50, "top_p": 0.8},
        {"stop": (" the", ".")},
        {"temperature": 1.0, "stop": ("\n", "e ")},
    ]
    words = ["the", "library", "opens", "at", "nine", "and", "a", "lost", "card", "costs", "five", "euros"]
    return [
        Request(
            " ".join(draw.choices(words, k=draw.randrange(1, 30))),
            decoding=Decoding(max_tokens=draw.choice((3, 8, 20)), logprobs=at % 3 or None, **ways[at % len(ways)]),
            seed=at,
        )
        for at in range(count)
    ]


@pytest.fixture
def small(tiny_model: Any) -> Any:
    """An engine of four places."""
    return TransformersEngine(tiny_model("llama"), batch_size=4)


@pytest.fixture
def shapes(small: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """Rows, new columns and all columns of each forward pass of the small engine."""
    seen: list[tuple[int, int, int]] = []
    forward = small.network.model.forward

    def watching(*args: Any, **options: Any) -> Any:
        seen.append((*options["input_ids"].shape, options["attention_mask"].shape[1]))
        return forward(*args, **options)

    monkeypatch.setattr(small.network.model, "forward", watching)
    return seen


@pytest.mark.parametrize("pairs", [VARIED, LED, VARIED + LED], ids=["varied", "shared prefix", "both"])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_greedy(tiny_model: Any, generated_alone: Any, pairs: list[tuple[str, int]], batch_size: int) -> None:
    """Rows that join a running batch get the tokens that model.generate gives one by one."""
    engine = TransformersEngine(tiny_model("llama"), batch_size)

    responses = engine.answer(requests_of(pairs))

    assert [list(each.token_ids) for each in responses] == [generated_alone(engine, *pair) for pair in pairs]


def test_places_are_filled(small: Any, shapes: list[tuple[int, int, int]]) -> None:
    """Rows are admitted while others run: fewer passes than batches one after another take.

    Four answers of 13 tokens and twelve of 1, at worst one long answer a batch: 4 x 13 = 52 passes. Here the first
    13 passes finish what came first, and each of the 12 other rows adds at most a prefill or waits for 13 more.
    """
    pairs = [(LINES[1], 13 if at % 4 == 0 else 1) for at in range(16)]

    small.answer(requests_of(pairs))

    assert max(rows for rows, *_ in shapes) == 4
    assert len(shapes) <= 13 + 12 + 13


def test_prompts_are_read_in_groups(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eight places two have to be free before prompts are read, unless fewer are waiting."""
    engine = TransformersEngine(tiny_model("llama"), batch_size=8)
    widths: list[int] = []
    forward = engine.network.model.forward

    def watching(*args: Any, **options: Any) -> Any:
        if options["input_ids"].shape[1] > 1:
            widths.append(len(options["input_ids"]))
        return forward(*args, **options)

    monkeypatch.setattr(engine.network.model, "forward", watching)

    engine.answer(requests_of([("library hours", 2 + at) for at in range(13)]))

    assert widths == [8, 2, 2, 1]


def test_repeat(small: Any, shapes: list[tuple[int, int, int]]) -> None:
    """The same list of requests is computed in the same passes and gives bit-equal logprobs."""
    first = [each.logprobs for each in small.answer(requests_of(VARIED, logprobs=2))]
    passes = list(shapes)
    shapes.clear()

    second = [each.logprobs for each in small.answer(requests_of(VARIED, logprobs=2))]

    assert first == second
    assert shapes == passes


def test_columns_stay_few(small: Any, shapes: list[tuple[int, int, int]]) -> None:
    """However many rows have passed, there are no more columns than for the longest prompt and two answers."""
    longest = max(small.count_tokens(prompt) for prompt, _ in VARIED)

    small.answer(requests_of(VARIED * 3))

    assert max(columns for *_, columns in shapes) <= longest + 2 * max(LIMITS)
    assert max(rows for rows, *_ in shapes) == 4


def test_prefix_is_read_once_for_all(small: Any, shapes: list[tuple[int, int, int]]) -> None:
    """Rows that are admitted later go on after the start that earlier ones have left."""
    small.answer(requests_of(LED))

    assert sum(rows == 1 and columns == total > 16 for rows, columns, total in shapes) == 1


def test_stems(small: Any) -> None:
    """A known start is used as far as it goes, and read anew when much more is shared."""
    start = list(range(10, 50))
    with torch.inference_mode():
        known = find_stem(small.network, [[*start, 60], [*start, 61]], 1)
        longer = [[*start, *range(60, 60 + n)] for n in (2, 3)]
        same = find_stem(small.network, longer, 1, known)
        shorter = find_stem(small.network, [[*start[:30], 70]], 1, known)
        anew = find_stem(small.network, [[*start[:16], *range(80, 120)], [*start[:16], *range(80, 121)]], 1, known)
        none = find_stem(small.network, [[5, 6], [5, 7]], 1, known)

    assert [len(stem.ids) for stem in (known, same, shorter, anew)] == [40, 40, 30, 55]
    assert shorter.cache.get_seq_length() == 30
    assert none is None


def test_join(small: Any) -> None:
    """Joined rows end in one column, columns that no row uses are gone, and each goes on as it would alone."""
    rows = [[*range(10, 22)], [5, 6, 7], [8, 9], [4, 3, 2, 9], [6, 7]]
    with torch.inference_mode():
        context = prefill(small.network, rows[:2], 2).select([1]).join(prefill(small.network, rows[2:4], 2))
        context = context.join(prefill(small.network, rows[4:], 2))
        context.step([30, 31, 32, 33])
        expected = [
            small.network.model(torch.tensor([[*row, token]])).logits[0, -1]
            for row, token in zip(rows[1:], (30, 31, 32, 33), strict=True)
        ]

    assert context.mask.tolist() == [[0, 1, 1, 1, 1], [0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 1, 1, 1]]
    assert context.cache.get_seq_length() == 5
    torch.testing.assert_close(context.logits, torch.stack(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("llama", True), ("gpt2", True), *((kind, False) for kind in ("mistral", "gemma", "gpt_neo", "mpt", "lfm2"))],
)
def test_where_rows_are_admitted(tiny_model: Any, generated_alone: Any, kind: str, *, expected: bool) -> None:
    """Windows, ALiBi and recurrent states take one batch after another; the answers are the same everywhere."""
    engine, pairs = TransformersEngine(tiny_model(kind), batch_size=3), VARIED[:8]

    responses = engine.answer(requests_of(pairs))

    tasks = [prepare_task(engine.network, engine.tokenizer, request) for request in requests_of(pairs)]
    assert admits(engine.network, tasks) is expected
    assert [list(each.token_ids) for each in responses] == [generated_alone(engine, *pair) for pair in pairs]


def test_break_while_running(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the model breaks in the middle, rows that were done stay so, and only the culprit fails."""
    requests = requests_of(VARIED)
    expected = small.answer(requests)
    culprit = 20
    prompt = small.tokenizer(VARIED[culprit][0])["input_ids"]
    forward = small.network.model.forward

    def failing(*args: Any, **options: Any) -> Any:
        rows = [
            row[mask.bool()[-len(row) :]].tolist()
            for row, mask in zip(options["input_ids"], options["attention_mask"], strict=True)
        ]
        if prompt in rows:
            msg = "out of memory"
            raise RuntimeError(msg)
        return forward(*args, **options)

    monkeypatch.setattr(small.network.model, "forward", failing)

    responses = small.answer(requests)

    assert responses[culprit].error == "the model failed on this request: RuntimeError: out of memory"
    assert [each.text for at, each in enumerate(responses) if at != culprit] == [
        each.text for at, each in enumerate(expected) if at != culprit
    ]
    assert 4 in {each.timing.batch for each in responses}


def test_break_after_some_tokens(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are asked again alone begin anew, their random streams included."""
    requests = [
        Request(line, decoding=Decoding(max_tokens=8, temperature=1.0), seed=at) for at, line in enumerate(LINES)
    ]
    expected = small.answer(requests)
    forward, passes = small.network.model.forward, []

    def failing(*args: Any, **options: Any) -> Any:
        passes.append(1)
        if len(passes) == 5:
            msg = "out of memory"
            raise RuntimeError(msg)
        return forward(*args, **options)

    monkeypatch.setattr(small.network.model, "forward", failing)

    responses = small.answer(requests)

    assert [(each.error, each.token_ids) for each in responses] == [(None, each.token_ids) for each in expected]


def test_nan_in_a_running_batch(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits that are not numbers fail the one row that has them."""
    forward, passes = small.network.model.forward, []

    def spoiling(*args: Any, **options: Any) -> Any:
        output = forward(*args, **options)
        passes.append(1)
        if len(passes) == 6:
            output.logits[1] = torch.nan
        return output

    monkeypatch.setattr(small.network.model, "forward", spoiling)

    responses = small.answer(requests_of(VARIED))

    errors = [each.error for each in responses if each.error is not None]
    assert len(errors) == 1
    assert errors[0].startswith("the model's logits are NaN after ")


def test_timing(small: Any) -> None:
    """Rows admitted together share their times; the size is the most rows that ran beside them."""
    responses = small.answer(requests_of([("library hours", limit) for limit in (3, 3, 8, 6, 4, 2)]))

    timings = [each.timing for each in responses]
    assert len(set(timings[2:])) == 1
    assert timings[0].started_at > timings[1].started_at > timings[2].started_at
    assert {timing.batch for timing in timings} == {4}
    assert 0 < timings[1].seconds < timings[2].seconds


def test_alone_or_in_any_company() -> None:
    """On a trained model a request's answer is the same alone, in any batch and in any order."""
    settings, requests = ModelSettings(name="v1", model=str(EXAMPLE)), mixed_requests(42)
    alone = TransformersEngine(settings, batch_size=1).answer(requests)
    order = random.Random(5).sample(range(len(requests)), len(requests))
    places = {at: place for place, at in enumerate(order)}
    shuffled = TransformersEngine(settings, batch_size=7).answer([requests[at] for at in order])
    companies = [
        TransformersEngine(settings, batch_size=5).answer(requests),
        TransformersEngine(settings, batch_size=64).answer(requests),
        [shuffled[places[at]] for at in range(len(requests))],
    ]

    for company in companies:
        assert [(each.text, each.token_ids) for each in company] == [(each.text, each.token_ids) for each in alone]
        for mine, theirs in zip(alone, company, strict=True):
            assert [entry.logprob for entry in theirs.logprobs or ()] == pytest.approx(
                [entry.logprob for entry in mine.logprobs or ()], abs=1e-4
            )
