"""`scored()`: a function of a case and a response becomes a metric over a response set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.function_source import function_hash
from pytest_llmval.case_sets.message import as_text
from pytest_llmval.records.response_set import ResponseSet
from pytest_llmval.scoring.score import Basis, CaseNote, Kind, Scores, Unscored
from pytest_llmval.servers.exchange import Response

if TYPE_CHECKING:
    from pytest_llmval.case_sets.case import Case

Value = float | bool | Unscored
ScoringFunction = Callable[["Case", "Response"], Value]
Metric = Callable[["Iterable[Response]"], Scores]


def scored(
    name: str,
    function: ScoringFunction,
    *,
    unit: str = "",
    higher_is_better: bool = True,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    kind: Kind | None = None,
) -> Metric:
    """A metric from a function of one case and one response.

    The function is called once a trial; a case's value is the mean over its trials. It is not called for a response
    with an error, which stays `Unscored` and counts against a candidate.

    Args:
        name: Name in reports.
        function: Gives a number, a bool, or `Unscored(reason)`.
        unit: For output, for example `words`.
        higher_is_better: Direction.
        bounds: Lowest and highest possible value; None when there is none.
        kind: `binary`, `graded` or `unbounded`; by default `graded`, or `unbounded` without bounds.

    Returns:
        A function from responses to `Scores`.

    >>> words = scored("words", lambda case, response: len(response.text.split()), bounds=None, unit="words")
    """
    empty = empty_scores(name, unit=unit, higher_is_better=higher_is_better, bounds=bounds, kind=kind)
    version = function_hash(function)

    def metric(responses: Iterable[Response]) -> Scores:
        return score_responses(responses, function, empty, version)

    metric.__name__ = name
    metric.__doc__ = f"{name} of each response."
    return metric


def empty_scores(
    name: str,
    *,
    unit: str = "",
    higher_is_better: bool = True,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    kind: Kind | None = None,
) -> Scores:
    """A metric's description, to be filled with cases; a wrong one is refused here and not at the first response."""
    return Scores(
        name,
        ids=(),
        values=(),
        unit=unit,
        higher_is_better=higher_is_better,
        bounds=bounds,
        kind=kind or ("unbounded" if bounds is None else "graded"),
    )


def score_responses(
    responses: Iterable[Response], function: ScoringFunction, metric: Scores, version: str = "1"
) -> Scores:
    """The metric over a response set, or over any responses that have their case.

    Args:
        responses: The answers.
        function: Gives the value of one answer.
        metric: The metric's description, without cases.
        version: Version of the metric: another one when it counts differently.

    Raises:
        ValueError: If a response has no case, or the function gives something that is no number.
    """
    answered = as_sequence(responses)
    members = [(case_of(response), response) for response in answered]
    clusters = tuple(case.cluster or case.id for case, _ in members)
    by_trial = [_trial_values(metric.name, function, case, response) for case, response in members]
    trials = max(map(len, by_trial), default=1)
    return replace(
        metric,
        ids=tuple(case.id for case, _ in members),
        values=tuple(map(_case_value, by_trial)),
        clusters=clusters if any(case.cluster for case, _ in members) else None,
        must_pass=tuple(case.must_pass for case, _ in members),
        trials=trials,
        basis=_basis(answered, metric, version),
        notes=tuple(note_of(case, response) for case, response in members),
        version=getattr(answered, "version", ""),
        by_trial=tuple(map(_scored_trials, by_trial)) if trials > 1 else None,
        cases=tuple(case for case, _ in members),
    )


def as_sequence(responses: Iterable[Response]) -> Sequence[Response]:
    """The responses, so that they can be walked through more than once; a response set stays one.

    Raises:
        TypeError: If it is a single response, or none at all.
    """
    given: object = responses  # callers may not check types
    if isinstance(given, Response | Scores | str) or not isinstance(given, Iterable):
        what = "one response" if isinstance(given, Response) else f"{given!r:.60}"
        msg = f"expected responses, for example the fixture `responses` of @case_set.all, got {what}"
        raise TypeError(msg)
    return responses if isinstance(responses, Sequence) else list(responses)


def case_of(response: Response) -> Case:
    """The case that a response answers.

    Raises:
        TypeError: If it is no response.
        ValueError: If it has none.
    """
    given: object = response
    if not isinstance(given, Response):
        msg = f"expected responses, for example the fixture `responses` of @case_set.all, got {given!r:.60} among them"
        raise TypeError(msg)
    if response.case is None:
        msg = "this response belongs to no case; score the fixtures `responses` and `baseline_responses`"
        raise ValueError(msg)
    return response.case


def _trial_values(name: str, function: ScoringFunction, case: Case, response: Response) -> tuple[float | Unscored, ...]:
    return tuple(_trial_value(name, function, case, trial) for trial in response.trials or (response,))


def _case_value(trials: tuple[float | Unscored, ...]) -> float | Unscored:
    """Mean over the trials. One trial without a number leaves the case without one."""
    without = [value for value in trials if isinstance(value, Unscored)]
    if without:
        return min(without, key=lambda unscored: not unscored.failed)
    return sum(_scored_trials(trials)) / len(trials)


def _scored_trials(trials: tuple[float | Unscored, ...]) -> tuple[float, ...]:
    """The values of the trials, none when one of them has none."""
    values = tuple(value for value in trials if not isinstance(value, Unscored))
    return values if len(values) == len(trials) else ()


def _trial_value(name: str, function: ScoringFunction, case: Case, response: Response) -> float | Unscored:
    if response.error is not None:
        return Unscored(response.error, failed=True)
    value = function(case, response)
    if isinstance(value, Unscored):
        return value
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        msg = f"{name}: case {case.id!r} was scored {value!r}; expected a number, a bool or Unscored(reason)"
        raise ValueError(msg) from error


def _basis(responses: Sequence[Response], metric: Scores, version: str) -> Basis | None:
    """What was measured on; None when the responses are not those of a case set."""
    if not isinstance(responses, ResponseSet):
        return None
    conditions = asdict(responses.conditions)
    return Basis(metric=metric.name, metric_version=version, model=responses.model, **conditions)


def note_of(case: Case, response: Response) -> CaseNote:
    """What a reader of a report needs to understand this answer."""
    expected = case.choices[case.answer] if case.answer is not None else case.reference
    answer = response.text if response.error is None else f"(no answer: {response.error})"
    return CaseNote(prompt=as_text(case.prompt), expected=_shown(expected), answer=answer)


def _shown(expected: object) -> str:
    if expected is None:
        return ""
    return expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False, default=str)
