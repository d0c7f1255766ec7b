"""What was measured of the serving in this run, for gates: times of answers, and work done over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, get_args

from pytest_llmval.errors import nearest
from pytest_llmval.scoring.score import CaseNote, Unscored
from pytest_llmval.scoring.scored import note_of
from pytest_llmval.scoring.serving.timing import (
    first_token_seconds,
    per_token_clock,
    total_seconds,
    trials_of,
    waited_seconds,
)

if TYPE_CHECKING:
    from pytest_llmval.scoring.serving.timing import Clock
    from pytest_llmval.servers.exchange import Response

Of = Literal["total", "first_token", "per_token", "queue"]
"""Which time of an answer."""

NAMES = {
    "total": "latency",
    "first_token": "first_token_latency",
    "per_token": "time_per_token",
    "queue": "queue_time",
}
"""What the times are called, as the scores of the same times are."""


@dataclass(frozen=True, slots=True)
class Fates:
    """What became of the answers; nothing is dropped in silence."""

    answers: int
    """Trials of all cases."""
    failed: int = 0
    """Requests without an answer."""
    replayed: int = 0
    """Answers of an earlier run, which are no measurements of this one."""
    unmeasured: int = 0
    """Answers of this run without the number that is asked for."""
    why: str = ""
    """Why the first of the unmeasured has none."""


@dataclass(frozen=True, slots=True)
class Durations:
    """Times of answers that were measured in this run."""

    name: str
    unit: str
    ids: tuple[str, ...]
    """Case of each measurement; of several answers that share their time, of the one it is taken from."""
    seconds: tuple[float, ...]
    """One entry a measurement."""
    lost: tuple[str, ...]
    """Cases of the requests that failed."""
    fates: Fates
    version: str = ""
    notes: tuple[CaseNote, ...] = ()
    """Prompt and answer of each measurement, then of each failure; empty when read back."""

    @property
    def measured(self) -> int:
        """Answers with a time, which may be more than there are measurements."""
        return self.fates.answers - self.fates.failed - self.fates.replayed - self.fates.unmeasured


@dataclass(frozen=True, slots=True)
class Work:
    """Work that was done in this run, and when."""

    name: str
    unit: str
    starts: tuple[float, ...]
    """When each answer was begun, in seconds since the first."""
    seconds: tuple[float, ...]
    amounts: tuple[float, ...]
    """Tokens or requests of each answer."""
    fates: Fates
    version: str = ""


def durations(responses: Iterable[Response], of: Of = "total") -> Durations:
    """The times of all trials.

    Answers that were computed in one batch share their times, and are one measurement: the least of theirs, which is
    the time per token of the longest answer.

    Raises:
        ValueError: If no such time is known, or there is no response.
    """
    if of not in get_args(Of):
        msg = f"of={of!r}; {nearest(str(of), get_args(Of))}"
        raise ValueError(msg)
    given, answers = _flat(responses)
    clock = _clock(of, [response for _, response in answers])
    timed, fates = _sorted(answers, clock)
    chosen, failed = _one_a_batch(timed), [each for each in answers if _has_failed(each[1])]
    return Durations(
        name=NAMES[of],
        unit="s/token" if of == "per_token" else "s",
        ids=tuple(case_id for case_id, *_ in chosen),
        seconds=tuple(seconds for *_, seconds in chosen),
        lost=tuple(case_id for case_id, _ in failed),
        fates=fates,
        version=getattr(given, "version", ""),
        notes=tuple(map(_note, [response for _, response, _ in chosen] + [response for _, response in failed])),
    )


def work(responses: Iterable[Response], *, tokens: bool) -> Work:
    """The completion tokens of all trials, or one of each, and when they were made.

    Raises:
        ValueError: If there is no response.
    """
    given, answers = _flat(responses)
    timed, fates = _sorted(answers, total_seconds)
    begun = [datetime.fromisoformat(response.timing.started_at).timestamp() for _, response, _ in timed]
    return Work(
        name="tokens_per_second" if tokens else "requests_per_second",
        unit="tokens/s" if tokens else "requests/s",
        starts=tuple(start - min(begun) for start in begun),
        seconds=tuple(seconds for *_, seconds in timed),
        amounts=tuple(float(response.usage.completion_tokens) if tokens else 1.0 for _, response, _ in timed),
        fates=fates,
        version=getattr(given, "version", ""),
    )


Answer = tuple[str, "Response"]
"""A trial with the id of its case, or its place among the responses where it has none."""
Timed = tuple[str, "Response", float]
"""The same with its seconds."""


def _flat(responses: Iterable[Response]) -> tuple[Iterable[Response], list[Answer]]:
    """The responses as given, and all their trials."""
    given = responses if isinstance(responses, Sequence) else list(responses)
    found = [
        (response.case.id if response.case else f"response {place}", trial)
        for place, response in enumerate(given, start=1)
        for trial in trials_of(response)
    ]
    if not found:
        msg = f"{given!r:.80} has no response; expected those of a case set, for example the fixture responses"
        raise ValueError(msg)
    return given, found


def _clock(of: Of, answers: Sequence[Response]) -> Clock:
    if of == "per_token":
        return per_token_clock(answers)
    return {"total": total_seconds, "first_token": first_token_seconds, "queue": waited_seconds}[of]


def _sorted(answers: Sequence[Answer], clock: Clock) -> tuple[list[Timed], Fates]:
    """The answers with a time, and what became of the others."""
    fresh = [each for each in answers if not each[1].replayed]
    answered = [(case_id, response, clock(response)) for case_id, response in fresh if response.error is None]
    without = [seconds.reason for *_, seconds in answered if isinstance(seconds, Unscored)]
    fates = Fates(
        answers=len(answers),
        failed=len(fresh) - len(answered),
        replayed=len(answers) - len(fresh),
        unmeasured=len(without),
        why=without[0] if without else "",
    )
    return [
        (each, response, seconds) for each, response, seconds in answered if not isinstance(seconds, Unscored)
    ], fates


def _has_failed(response: Response) -> bool:
    return response.error is not None and not response.replayed


def _one_a_batch(timed: Iterable[Timed]) -> list[Timed]:
    """The shortest of those that share a batch, each of the others."""
    found: dict[object, Timed] = {}
    for place, each in enumerate(timed):
        timing = each[1].timing
        key = (timing.started_at, timing.seconds) if timing.batch > 1 else place
        if key not in found or each[2] < found[key][2]:
            found[key] = each
    return list(found.values())


def _note(response: Response) -> CaseNote:
    if response.case is not None:
        return note_of(response.case, response)
    return CaseNote(answer=response.text if response.error is None else f"(no answer: {response.error})")
