"""The running batch: rows that are done leave it, and waiting ones take their places."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from pytest_llmval.servers.engine.batching import plan_batches
from pytest_llmval.servers.engine.generation import Row, take_tokens
from pytest_llmval.servers.engine.plan import plan_widths
from pytest_llmval.servers.engine.prefill import find_stem, prefill_after
from pytest_llmval.servers.engine.recovery import failure, free_memory, reason
from pytest_llmval.servers.engine.token_scores import reading_costs
from pytest_llmval.servers.exchange import Timing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.servers.engine.generation import Task
    from pytest_llmval.servers.engine.network import Network
    from pytest_llmval.servers.engine.prefill import Context, Stem
    from pytest_llmval.servers.exchange import Response

ADMITTED_SHARE = 4
"""One place in so many has to be free before rows are admitted, so that prompts are still read in batches."""


@dataclass(slots=True)
class Group:
    """Rows that were admitted together; their responses share their times."""

    rows: list[Row]
    started_at: str
    start: float
    """On the clock of `time.perf_counter`."""
    company: int = 0
    """Most rows that ran together while one of these was among them."""

    @classmethod
    def of(cls, rows: list[Row]) -> Group:
        """Rows that start now."""
        return cls(rows, datetime.now(UTC).isoformat(), time.perf_counter())

    @property
    def done(self) -> bool:
        """Whether all of them have finished."""
        return all(row.text is not None for row in self.rows)

    def responses(self) -> dict[int, Response]:
        """The answers of the finished ones, by the number of their task; they have taken until now."""
        timing = Timing(self.started_at, time.perf_counter() - self.start, self.company)
        finished = [row for row in self.rows if row.text is not None]
        return {row.number: dataclasses.replace(row.response(), timing=timing) for row in finished}


class RunningBatch:
    """Tasks and the rows that some of them have become; which and when follows from the tasks and the model alone."""

    answers: dict[int, Response]
    """By the number of the task."""
    places: int
    """Most rows at a time."""

    def __init__(self, network: Network, tasks: Sequence[Task], places: int, *, joins: bool) -> None:
        """Tasks in the order of admission; if rows may join, their prompts are read in groups of similar length."""
        self.answers = {}
        self._network, self.places = network, places
        self._costs = reading_costs(network, places) if joins else None
        self._waiting = deque(enumerate(tasks))
        self._groups: list[Group] = []
        self._live: list[Row] = []
        self._context: Context | None = None
        self._stem: Stem | None = None

    @property
    def done(self) -> bool:
        """Whether no row runs or waits."""
        return not self._live and not self._waiting

    @torch.inference_mode()
    def run(self) -> None:
        """Answer all tasks; whatever a model raises may come up, and `drop` is to be called before going on."""
        while not self.done:
            context = self._context
            if context is None or self._has_room():
                self._context = context = self._admit(context)
            take_tokens(context.logits, self._live)
            self._retire(context)

    def drop(self) -> list[tuple[int, Task]]:
        """Forget the rows that run and return their tasks; what has been answered and what waits is kept."""
        tasks = [(row.number, row.task) for row in self._live if row.text is None]
        for group in self._groups:
            self.answers |= group.responses()
        self._groups, self._live, self._context, self._stem = [], [], None, None
        return tasks

    def _has_room(self) -> bool:
        """Whether enough places are free, or as many as rows are waiting, if there are any."""
        free = self.places - len(self._live)
        return 0 < min(len(self._waiting), max(1, self.places // ADMITTED_SHARE)) <= free

    def _admit(self, context: Context | None) -> Context:
        """Waiting rows join the batch, as many as there is room for."""
        free = min(len(self._waiting), self.places - len(self._live))
        rows = [Row.of(*self._waiting.popleft()) for _ in range(free)]
        self._live += rows  # before they are read: should that break, they are the suspects
        self._groups.append(Group.of(rows))
        for group in self._groups:
            group.company = max(group.company, len(self._live))
        self._live[-free:], admitted = self._prefill(rows)
        return admitted if context is None else context.join(admitted)

    def _prefill(self, rows: list[Row]) -> tuple[list[Row], Context]:
        """New rows in the order of their context, which follows a start that earlier rows left, where they share it."""
        prompts, following = [row.task.ids for row in rows], max(row.task.limit for row in rows)
        stem = self._stem = find_stem(self._network, prompts, following, self._stem)
        read = 0 if stem is None else len(stem.ids)
        batches = [list(range(len(rows)))]
        if self._costs is not None:
            batches = plan_widths([len(prompt) - read for prompt in prompts], self._costs, read)
        contexts = [prefill_after(self._network, [prompts[at] for at in batch], stem) for batch in batches]
        return [rows[at] for batch in batches for at in batch], contexts[0].join(*contexts[1:])

    def _retire(self, context: Context) -> None:
        """Rows that are done leave, and the others read their new token."""
        going = [at for at, row in enumerate(self._live) if row.text is None]
        if len(going) < len(self._live):
            self._live = [self._live[at] for at in going]
            self._context = context.select(going) if going else None
            self._report()
        if self._context is not None:
            self._context.step([row.tokens[-1] for row in self._live])

    def _report(self) -> None:
        """Groups that are done are answered and forgotten."""
        for group in self._groups:
            if group.done:
                self.answers |= group.responses()
        self._groups = [group for group in self._groups if not group.done]


def generate(network: Network, tasks: Sequence[Task], batch_size: int) -> list[Response]:
    """The answers to tasks in order; when the model breaks, the rows that ran are asked again alone.

    The tasks run in one batch that admits rows as others finish where that is sound, else in one batch after another.
    """
    planned, joins = plan_batches([task.ids for task in tasks], batch_size), admits(network, tasks)
    if len(planned) > 1 and joins:
        # Shortest first: every row carries the columns of its longest neighbour, and those come last.
        planned = [[at for batch in planned for at in batch][::-1]]
    answers: dict[int, Response] = {}
    for members in planned:
        found = _answer_all(network, [tasks[at] for at in members], min(batch_size, len(members)), joins=joins)
        answers |= dict(zip(members, found, strict=True))
    return [answers[at] for at in range(len(tasks))]


def admits(network: Network, tasks: Sequence[Task]) -> bool:
    """Whether rows may join others that have been running: all it takes is padding before them.

    Such a row has columns for the longest prompt or answer of its neighbours, which grow until they are next trimmed.
    """
    cache = network.new_cache()
    plain = type(cache) is DynamicCache and all(type(layer) is DynamicLayer for layer in cache.layers)
    longest = max((len(task.ids) for task in tasks), default=0)
    return plain and longest + 2 * max((task.limit for task in tasks), default=0) <= network.gap_room


def _answer_all(network: Network, tasks: Sequence[Task], places: int, *, joins: bool) -> list[Response]:
    batch = RunningBatch(network, tasks, places, joins=joins)
    while not batch.done:
        broken = _run(batch)
        if broken:
            _ask_alone(network, batch, broken)
    return [batch.answers[number] for number in range(len(tasks))]


def _run(batch: RunningBatch) -> str:
    """Why the batch broke; empty when it did not."""
    try:
        batch.run()
    except Exception as error:  # noqa: BLE001 - whatever a model raises: out of memory, a faulty kernel
        return reason(error)
    return ""


def _ask_alone(network: Network, batch: RunningBatch, broken: str) -> None:
    """Answer the rows that ran when the batch broke one by one, so that only the culprit fails."""
    suspects = batch.drop()
    free_memory()
    for number, task in suspects:
        alone = failure(broken) if batch.places == 1 else _answer_all(network, [task], 1, joins=False)[0]
        batch.answers[number] = alone
