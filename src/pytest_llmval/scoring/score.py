"""Scores: one number a case with its unit and direction, or `Unscored` with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NoReturn

if TYPE_CHECKING:
    from pytest_llmval.case_sets.case import Case

Kind = Literal["binary", "graded", "unbounded"]


@dataclass(frozen=True, slots=True)
class Unscored:
    """There is no number for this case, and why."""

    reason: str
    failed: bool = False
    """True when the model gave no answer at all, which counts against a candidate."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a score was measured on. Two scores are comparable when their bases are equal."""

    dataset: str = ""
    """Name and content hash of the case set."""
    prompt: str = ""
    """Hash of the prompt template, system text and examples."""
    decoding: str = ""
    """The decoding parameters, spelt out."""
    metric: str = ""
    """Name and parameters of the metric."""
    metric_version: str = ""
    """Changes when the metric counts differently: a hash of the function, or the version of a library."""
    judge: str = ""
    """Model and rubric of the judge; empty for a metric without one."""
    batching: str = ""
    """How requests were cut into batches."""
    protocol: tuple[tuple[str, str], ...] = ()
    """How the number was taken, by name; the windows of a perplexity, for example."""
    model: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """The model version, by part: weights, tokenizer, template, engine, dtype, device. It may differ."""

    def differences(self, other: Basis) -> dict[str, tuple[str, str]]:
        """The fields that differ, each with this and the other's value; of a protocol its parts."""
        ours, theirs = self._facts(), other._facts()
        names = [name for name in dict.fromkeys([*ours, *theirs]) if name in ours.keys() & theirs or name != _MAY_LACK]
        pairs = {name: (ours.get(name, ""), theirs.get(name, "")) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def _facts(self) -> dict[str, str]:
        plain = {name.replace("_", " "): getattr(self, name) for name in self.__slots__ if name not in _PARTED}
        return plain | {f"protocol {name}": value for name, value in self.protocol}


_PARTED = ("protocol", "model")
_MAY_LACK = "protocol dtype"
"""What a served model does not tell: it can be shown to differ only where both sides say it."""


@dataclass(frozen=True, slots=True)
class CaseNote:
    """What a reader of a report needs to understand one score."""

    prompt: str = ""
    expected: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Scores:
    """A metric over a case set.

    >>> Scores("accuracy", ids=("a", "b"), values=(1.0, 0.0), kind="binary").mean
    0.5
    """

    name: str
    ids: tuple[str, ...]
    """Case ids, in file order."""
    values: tuple[float | Unscored, ...]
    """One entry a case: trials are averaged already."""
    unit: str = ""
    """For output, for example `nats/token`; empty for a share or a score without unit."""
    higher_is_better: bool = True
    bounds: tuple[float, float] | None = (0.0, 1.0)
    """Lowest and highest possible value; None when there is none."""
    kind: Kind = "graded"
    """Selects the interval: `binary` (0 or 1 each), `graded` (within bounds), `unbounded`."""
    clusters: tuple[str, ...] | None = None
    """Cluster of each case when the cases are not independent."""
    must_pass: tuple[bool, ...] | None = None
    """Cases that may not break whatever the averages say."""
    trials: int = 1
    """Trials averaged into each value; more than one makes a binary metric graded."""
    basis: Basis | None = None
    """What was measured; None for scores made by hand, which are compared by ids alone."""
    notes: tuple[CaseNote, ...] | None = None
    """Prompt, expectation and answer of each case, for reports."""
    version: str = ""
    """Model version that gave the answers."""
    weights: tuple[float, ...] | None = None
    """What each case counts in a weighted mean, for example the tokens of a document; None when all count the same."""
    by_trial: tuple[tuple[float, ...], ...] | None = None
    """The values of each case's trials, none for a case without a score; None when each was asked once."""
    cases: tuple[Case, ...] | None = field(default=None, compare=False, repr=False)
    """The cases themselves, by which slices are made; None for scores made by hand or read back."""

    def __post_init__(self) -> None:
        """Refuse columns of different lengths, repeated ids and values outside the bounds."""
        _check_columns(self)
        _check_values(self)

    def __repr__(self) -> str:
        """What was scored and how it came out, without the cases."""
        of = f" of {self.version}" if self.version else ""
        mean = f"{self.mean:.4g}" if self.measured else "no score"
        lacking = len(self.ids) - len(self.measured)
        return f"<{self.name}{of}: {mean} over {len(self.measured)} cases{f', {lacking} unscored' if lacking else ''}>"

    def __gt__(self, other: object) -> NoReturn:
        """Refused: a mean says nothing without its interval."""
        msg = f"{self!r} compared with {other!r:.60}; write assert_at_least(scores, 0.9), or compare scores.mean"
        raise TypeError(msg)

    __ge__ = __lt__ = __le__ = __gt__

    @property
    def measured(self) -> tuple[float, ...]:
        """The values of the cases that have one."""
        return tuple(value for value in self.values if not isinstance(value, Unscored))

    @property
    def mean(self) -> float:
        """Mean over the cases that have a value.

        Raises:
            ValueError: If no case has one.
        """
        if not self.measured:
            msg = f"{self.name}: no case has a score"
            raise ValueError(msg)
        return sum(self.measured) / len(self.measured)

    @property
    def worst(self) -> float | None:
        """The worst possible value, None when the metric has no bounds."""
        if self.bounds is None:
            return None
        return self.bounds[0] if self.higher_is_better else self.bounds[1]


def _check_columns(scores: Scores) -> None:
    for name in ("values", "clusters", "must_pass", "notes", "weights", "by_trial", "cases"):
        column = getattr(scores, name)
        if column is not None and len(column) != len(scores.ids):
            msg = f"{scores.name}: {len(scores.ids)} ids but {len(column)} {name}"
            raise ValueError(msg)
    if len(set(scores.ids)) != len(scores.ids):
        repeated = next(each for each in scores.ids if scores.ids.count(each) > 1)
        msg = f"{scores.name}: case id {repeated!r} occurs more than once"
        raise ValueError(msg)


def _check_values(scores: Scores) -> None:
    if scores.kind not in ("binary", "graded", "unbounded"):
        msg = f"{scores.name}: kind={scores.kind!r}; expected 'binary', 'graded' or 'unbounded'"
        raise ValueError(msg)
    if scores.bounds is not None and not scores.bounds[0] < scores.bounds[1]:
        msg = f"{scores.name}: bounds={scores.bounds!r}; expected the lowest and then the highest possible value"
        raise ValueError(msg)
    if scores.kind != "unbounded" and scores.bounds is None:
        msg = f"{scores.name}: kind {scores.kind!r} needs bounds; without any the kind is 'unbounded'"
        raise ValueError(msg)
    for case_id, value in zip(scores.ids, scores.values, strict=True):
        if not isinstance(value, Unscored):
            _check_value(scores, case_id, value)
    for case_id, weight in zip(scores.ids, scores.weights or (), strict=False):
        if not 0 <= weight < float("inf"):
            msg = f"{scores.name}: case {case_id!r} has the weight {weight!r}; expected 0 or more"
            raise ValueError(msg)


def _check_value(scores: Scores, case_id: str, value: float) -> None:
    if value != value:  # noqa: PLR0124 - the test for NaN
        msg = f"{scores.name}: case {case_id!r} has the value NaN; give Unscored(reason) instead"
        raise ValueError(msg)
    if scores.bounds is not None and not scores.bounds[0] <= value <= scores.bounds[1]:
        low, high = scores.bounds
        msg = f"{scores.name}: case {case_id!r} has the value {value!r}, outside its bounds [{low}, {high}]"
        raise ValueError(msg)
    if scores.kind == "binary" and scores.trials == 1 and value not in scores.bounds:  # type: ignore[operator]
        msg = f"{scores.name}: case {case_id!r} has the value {value!r}; a binary score is one of {scores.bounds}"
        raise ValueError(msg)
