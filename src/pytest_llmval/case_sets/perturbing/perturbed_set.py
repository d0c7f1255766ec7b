"""A perturbed case set: each case of another one, followed by changed versions of it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.loading import unique
from pytest_llmval.case_sets.perturbing.count import check_count
from pytest_llmval.case_sets.perturbing.perturber import Perturber, perturber_of
from pytest_llmval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.case_sets.case import Case, CaseSet
    from pytest_llmval.case_sets.perturbing.relation import Relation

FEWEST_DRAWS = 64
"""So many edits are tried on a case at least: several of them may come to the same question."""


def perturb(case_set: CaseSet, relation: Relation, *, times: int, field: str | None, seed: int) -> CaseSet:
    """The set that `CaseSet.perturbed` gives."""
    check_count(f"{case_set.name}.perturbed", "times", times)
    perturber = perturber_of(case_set, relation, field)
    variants = {
        name: _perturbed(variant, perturber_of(variant, relation, perturber.field), times, seed)
        for name, variant in case_set.variants.items()
    }
    first = next(iter(variants.values()), None) or _perturbed(case_set, perturber, times, seed)
    return replace(first, variants=variants)


def _perturbed(case_set: CaseSet, perturber: Perturber, times: int, seed: int) -> CaseSet:
    cases = [each for case in case_set for each in (case, *_perturbations(perturber, case, times, seed))]
    if len(cases) == len(case_set):
        raise nothing_changed(case_set, perturber)
    name = f"{case_set.name}~{perturber.relation.name}"
    return replace(case_set, name=name, cases=unique(cases), relation=perturber.relation)


def nothing_changed(case_set: CaseSet, perturber: Perturber) -> DatasetError:
    """The error for a relation that changes no case, which would hold whatever the model answers."""
    return DatasetError(
        f"{case_set.name}: {perturber.relation} makes no other question of any of the {len(case_set)} cases; "
        f"expected something to change in the field {perturber.field!r}, and a question that shows it"
    )


def _perturbations(perturber: Perturber, case: Case, times: int, seed: int) -> list[Case]:
    """Different questions made of one, at most so many."""
    name = perturber.relation.name
    rng = Random(f"{seed}/{name}/{case.id}".encode("utf-8", "surrogatepass"))  # noqa: S311 - a draw, not a secret
    edits = perturber.edits(case)
    found: list[Case] = []
    for places in _draws(rng, len(edits), perturber.relation.most, max(FEWEST_DRAWS, 4 * times)):
        if len(found) == times:
            break
        made = perturber.case_with(case, [edits[place] for place in places], f"{name}-{len(found) + 1}")
        if all(made.prompt != other.prompt for other in (case, *found)):
            found.append(made)
    return found


def _draws(rng: Random, count: int, most: int, draws: int) -> Iterator[tuple[int, ...]]:
    """Places of edits that are made together: each single one in turn, or between one and `most` at random."""
    if most == 1 or count == 0:
        yield from ((place,) for place in _different(rng, count, min(count, draws)))
        return
    for _ in range(draws):
        yield _different(rng, count, 1 + _below(rng, min(most, count)))


def _different(rng: Random, count: int, size: int) -> tuple[int, ...]:
    found: dict[int, None] = {}
    while len(found) < size:
        found[_below(rng, count)] = None
    return tuple(found)


def _below(rng: Random, count: int) -> int:
    """A whole number in [0, count). Of all draws, Python keeps only those of `random()` the same between versions."""
    return int(rng.random() * count)
