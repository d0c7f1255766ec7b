"""Classification report: how well each label is found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.scoring.text.answers import each_ask
from pytest_llmval.scoring.text.exact import clean_references
from pytest_llmval.scoring.text.limits import OverLimit
from pytest_llmval.scoring.text.normalising import Normalise, Normaliser, normaliser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response

MOST_MISTAKES = 5
"""Kinds of mistakes that the text of a report names."""


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """How well one label is found, or a mean over labels."""

    label: str
    precision: float
    """Share of the answers with this label that are right; 0 where no answer has it."""
    recall: float
    """Share of the cases of this label whose answer has it; 0 where there is no such case."""
    f1: float
    """Harmonic mean of both; 0 where both are 0."""
    support: int
    """Answers to cases of this label."""


@dataclass(frozen=True, slots=True)
class ClassificationReport:
    """Precision, recall and F1 of each label; as text, a table."""

    labels: tuple[LabelFigures, ...]
    accuracy: float
    """Share of right answers; one without a label is wrong."""
    macro: LabelFigures
    """Mean over labels, each counting the same."""
    weighted: LabelFigures
    """Mean over labels, each counting with its support."""
    confusion: tuple[tuple[int, ...], ...]
    """Answers by the label of the reference (row) and of the answer (column), both in the order of `labels`; the last
    column counts answers that are no label."""
    failed: int = 0
    """Asks that gave no answer, which count nowhere else."""
    unscored: int = 0
    """Answers to cases without a reference, or too long to be normalised, which count nowhere else."""
    version: str = ""
    """Model version that gave the answers."""

    @property
    def no_label(self) -> int:
        """Answers that are none of the labels."""
        return sum(row[-1] for row in self.confusion)

    def __str__(self) -> str:
        return "\n".join([*_table(self), *_mistakes(self), _counts(self)])


def classification_report(
    responses: Iterable[Response],
    *,
    labels: Sequence[str] | None = None,
    normalise: Normalise = ("strip", "case"),
) -> ClassificationReport:
    """Precision, recall and F1 of each label, over all trials.

    An answer has a label when it is the label once both are normalised; every other answer is no label, and counts
    against the recall of the right one. Where a case has several references, the one that the answer equals counts,
    else the first. With `labels=` the numbers are those of scikit-learn's `classification_report`, `zero_division=0`.

    Args:
        responses: The answers.
        labels: In the order of the table; by default all that occur as a reference, sorted.
        normalise: As of `exact_match`.

    Raises:
        ValueError: If no answered case has a reference, a reference is none of `labels`, two labels are the same once
            normalised, or a normalisation is unknown.
    """
    clean = normaliser(normalise)
    asks = list(each_ask(responses))
    answered = [(case, response) for case, response in asks if response.error is None]
    pairs = [pair for case, response in answered if (pair := _pair(case, response, clean))]
    if not pairs:
        msg = "classification_report: no answered case has a reference"
        raise ValueError(msg)
    names = _labels(labels, [wanted for wanted, _ in pairs], clean)
    return _report(
        names,
        Counter(pairs),
        failed=len(asks) - len(answered),
        unscored=len(answered) - len(pairs),
        version=getattr(responses, "version", ""),
    )


def _pair(case: Case, response: Response, clean: Normaliser) -> tuple[str, str] | None:
    """Reference and answer, normalised; None when there is no reference."""
    try:
        wanted, answer = clean_references(case, clean), clean(response.text)
    except OverLimit:
        return None
    if isinstance(wanted, Unscored):
        return None
    return (answer if answer in wanted else wanted[0], answer)


def _labels(given: Sequence[str] | None, wanted: Sequence[str], clean: Normaliser) -> dict[str, str]:
    """The label to show by its normalised form, in the order of the table."""
    if given is None:
        return {label: label for label in sorted(set(wanted))}
    if isinstance(given, str) or not all(isinstance(label, str) for label in given):
        msg = f"labels={given!r:.80}; expected labels, such as ('yes', 'no')"
        raise TypeError(msg)
    names = {clean(label): label for label in given}
    if len(names) < len(given):
        msg = f"labels={given!r:.80}: two are the same once normalised ({clean.version})"
        raise ValueError(msg)
    for label in wanted:
        if label not in names:
            msg = f"the reference {label!r:.80} is none of the labels; labels={given!r:.200}"
            raise ValueError(msg)
    return names


def _report(
    names: dict[str, str], pairs: Counter[tuple[str, str]], *, failed: int, unscored: int, version: str
) -> ClassificationReport:
    confusion = tuple(tuple(_row(wanted, names, pairs)) for wanted in names)
    figures = tuple(_figures(label, place, confusion) for place, label in enumerate(names.values()))
    return ClassificationReport(
        labels=figures,
        accuracy=sum(confusion[place][place] for place in range(len(names))) / pairs.total(),
        macro=_mean("macro average", figures, [1] * len(figures)),
        weighted=_mean("weighted average", figures, [each.support for each in figures]),
        confusion=confusion,
        failed=failed,
        unscored=unscored,
        version=version,
    )


def _row(wanted: str, names: Iterable[str], pairs: Counter[tuple[str, str]]) -> Iterator[int]:
    """Answers to the cases of one label, by the label of the answer; last those that are no label."""
    counts = [pairs[wanted, given] for given in names]
    yield from counts
    yield sum(count for (expected, _), count in pairs.items() if expected == wanted) - sum(counts)


def _figures(label: str, place: int, confusion: Sequence[Sequence[int]]) -> LabelFigures:
    right, support, given = confusion[place][place], sum(confusion[place]), sum(row[place] for row in confusion)
    f1 = 2 * right / (given + support) if given + support else 0.0
    return LabelFigures(label, right / given if given else 0.0, right / support if support else 0.0, f1, support)


def _mean(name: str, figures: Sequence[LabelFigures], weights: Sequence[int]) -> LabelFigures:
    def mean(part: str) -> float:
        products = (getattr(each, part) * weight for each, weight in zip(figures, weights, strict=True))
        return float(sum(products) / sum(weights))

    return LabelFigures(name, mean("precision"), mean("recall"), mean("f1"), sum(each.support for each in figures))


def _table(report: ClassificationReport) -> Iterator[str]:
    rows = [*report.labels, report.macro, report.weighted]
    width = max(len(row.label) for row in rows)
    yield f"{'':{width}}  precision  recall     f1  support"
    for row in rows:
        yield f"{row.label:{width}}  {row.precision:9.3f}  {row.recall:6.3f}  {row.f1:5.3f}  {row.support:7}"


def _mistakes(report: ClassificationReport) -> Iterator[str]:
    """The most frequent mistakes, the most frequent first."""
    names = [each.label for each in report.labels]
    found = [
        (-count, f"{expected} -> {given}: {count}")
        for expected, row in zip(names, report.confusion, strict=True)
        for given, count in zip([*names, "(no label)"], row, strict=True)
        if count and expected != given
    ]
    if found:
        yield "mistakes: " + ", ".join(text for _, text in sorted(found)[:MOST_MISTAKES])


def _counts(report: ClassificationReport) -> str:
    parts = [f"accuracy {report.accuracy:.3f} over {report.weighted.support} answers"]
    left = ((report.no_label, "no label"), (report.failed, "failed"), (report.unscored, "without a reference"))
    return ", ".join(parts + [f"{count} {what}" for count, what in left if count])
