"""Batches are a function of the rows; a shared prefix is read once, where that is sound."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.engine.batching import plan_batches
from pytest_llmval.servers.engine.prefill import common_prefix, prefill, shared_prefix


def test_longest_first() -> None:
    """Rows of similar length share a batch, the longest first, equal ones in their order."""
    rows = [[1] * 2, [2] * 5, [3] * 5, [4] * 9]

    assert plan_batches(rows, 2) == [[3, 1], [2, 0]]


def test_families() -> None:
    """Prompts with a common start are batched together, whatever their length."""
    start = list(range(16))
    rows = [[*start, *[7] * n] for n in (1, 30, 2, 40)] + [[n] * 20 for n in range(50, 54)]

    batches = plan_batches(rows, 4)

    assert sorted(map(sorted, batches)) == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize("seed", range(5))
def test_every_row_once(seed: int) -> None:
    """Each row is in exactly one batch, and no batch is too large."""
    draw = random.Random(seed)
    rows = [[0] * draw.randrange(1, 60) for _ in range(draw.randrange(40))]

    batches = plan_batches(rows, 7)

    assert sorted(at for batch in batches for at in batch) == list(range(len(rows)))
    assert all(len(batch) <= 7 for batch in batches)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1, 2, 3], [1, 2, 4]], 2),
        ([[1, 2, 3], [1, 2, 3]], 2),
        ([[1, 2], [1, 2, 3]], 1),
        ([[1, 2], [3]], 0),
        ([[1]], 0),
    ],
)
def test_common_prefix(rows: list[list[int]], expected: int) -> None:
    """The prefix that all rows share leaves each at least one token."""
    assert common_prefix(rows) == expected


@pytest.mark.parametrize(
    ("rows", "room", "expected"),
    [(2, math.inf, 20), (1, math.inf, 0), (2, 30, 0), (2, 31, 20), (2, 0, 0)],
    ids=["two rows", "one row", "window too small", "within the window", "other caches"],
)
def test_shared_prefix(rows: int, room: float, expected: int) -> None:
    """A prefix is shared by several rows when the columns, 21 read and 10 to come, fit the smallest window."""
    network: Any = SimpleNamespace(gap_room=room)

    assert shared_prefix(network, [[*range(20), 90 + at] for at in range(rows)], 10) == expected


@pytest.mark.parametrize(
    ("kind", "room", "resumable"),
    [
        ("llama", math.inf, True),
        ("gpt2", math.inf, True),
        ("mistral", 24, True),
        ("gemma", 24, True),
        ("gpt_neo", 24, True),
        ("mpt", 0, True),
        ("lfm2", 0, False),
    ],
)
def test_what_an_architecture_allows(tiny_model: Any, kind: str, room: float, *, resumable: bool) -> None:
    """Plain caches take any gap, windows one inside the window, columns as positions and recurrent states none."""
    network = TransformersEngine(tiny_model(kind)).network

    assert (network.gap_room, network.resumable) == (room, resumable)
    assert (network.context_length, network.vocabulary) == (128, 400)


def test_prefix_is_read_once(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows with a common start the model reads the start once and each rest once."""
    rows = [[*range(10, 50), 60], [*range(10, 50), 61, 62], [*range(10, 50), 63]]
    seen: list[tuple[int, ...]] = []
    forward = engine.network.model.forward

    def watching(*args: Any, **options: Any) -> Any:
        seen.append(tuple(options["input_ids"].shape))
        return forward(*args, **options)

    monkeypatch.setattr(engine.network.model, "forward", watching)

    with torch.inference_mode():
        prefill(engine.network, rows, 1)

    assert seen == [(1, 40), (3, 2)]


def test_prefill(engine: Any) -> None:
    """Logits after the last token are those of each row alone, with and without a shared prefix."""
    rows = [[*range(10, 50), 60], [*range(10, 50), 61, 62]]
    for batch in (rows, [*rows, [5, 6]]):
        with torch.inference_mode():
            context = prefill(engine.network, batch, 1)
            expected = [engine.network.model(torch.tensor([row])).logits[0, -1] for row in batch]

        torch.testing.assert_close(context.logits, torch.stack(expected), atol=1e-4, rtol=0)


def test_selected_rows_grow_on_their_own(engine: Any) -> None:
    """Reading on in selected rows leaves the context they came from as it was."""
    with torch.inference_mode():
        context = prefill(engine.network, [[1, 2, 3], [4, 5]], 2)
        branch = context.select([1, 1])
        branch.step([6, 7])
        expected = engine.network.model(torch.tensor([[4, 5, 7]])).logits[0, -1]

    assert context.mask.tolist() == [[1, 1, 1], [0, 1, 1]]
    assert context.cache.get_seq_length() == 3
    torch.testing.assert_close(branch.logits[1], expected, atol=1e-4, rtol=0)
