"""Case and CaseSet: what is asked, frozen under a content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from pytest_llmval.case_sets.decoding import Decoding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_llmval.case_sets.loading import Recipe
    from pytest_llmval.case_sets.message import Message
    from pytest_llmval.case_sets.perturbing.relation import Relation

Function = TypeVar("Function", bound="Callable[..., Any]")
DECORATION = "__llmval_cases__"
"""Attribute of a decorated test function; pytest's side reads it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing asked. The fields of its row are read as `case["name"]`."""

    id: str
    fields: Mapping[str, Any]
    prompt: str | tuple[Message, ...]
    """Text, or messages for the model's chat template."""
    reference: Any = None
    """The expected answer, when the case set names one."""
    choices: tuple[str, ...] = ()
    """Options of a multiple-choice case."""
    answer: int | None = None
    """Index of the right option in `choices`."""
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    """Cases of one cluster are not independent, for example paraphrases of one question."""
    must_pass: bool = False
    """Whether breaking this case fails a gate whatever the averages say."""
    source: str = ""
    """Where it stands: `faq.jsonl:12`."""
    origin: str | None = None
    """Id of the case it is a perturbation of; None for a case of the dataset."""
    change: str = ""
    """How it differs from its origin, in words: `'retrun' for 'return'`."""

    def __getitem__(self, name: str) -> Any:
        """A field of the row.

        Raises:
            KeyError: If the row has no such field; the text lists those it has.
        """
        try:
            return self.fields[name]
        except KeyError:
            msg = f"case {self.id!r} has no field {name!r}; it has {', '.join(map(repr, self.fields))}"
            raise KeyError(msg) from None

    def __str__(self) -> str:
        """The id: what a report shows."""
        return self.id

    def __repr__(self) -> str:
        """The id and where the case stands, short enough for a traceback."""
        return f"<case {self.id!r} of {self.source}>"


@dataclass(frozen=True, slots=True)
class Decoration:
    """What `case_set.each` and `case_set.all` leave on a test function."""

    mode: Literal["each", "all"]
    case_set: CaseSet

    def with_prompt(self, name: str | None) -> Decoration:
        """The same with the variant of that name, or with the first one; itself when the set has no variants."""
        variants = self.case_set.variants
        if not variants:
            return self
        return replace(self, case_set=variants.get(name or "", next(iter(variants.values()))))


@dataclass(frozen=True, eq=False)
class CaseSet(Sequence[Case]):
    """A frozen sequence of cases with the decoding they are asked with."""

    name: str
    """File name without suffix, for output."""
    cases: tuple[Case, ...]
    prompt_hash: str
    """Hash of the template, the system text and the few-shot examples."""
    decoding: Decoding = field(default_factory=Decoding)
    trials: int | None = None
    """Asks a case, each with its own seed and record; None leaves it to `--llmval-trials`."""
    source: Path = field(default_factory=Path)
    """The dataset, or the file whose code gave the rows."""
    prompt_name: str = ""
    """Name of the variant of the prompt, empty when there is one prompt only."""
    variants: Mapping[str, CaseSet] = field(default_factory=dict)
    """The same cases asked with each variant of the prompt, by name; empty when there is one prompt only.

    The set itself asks the first of them; in a decorated test `--llmval-prompt` chooses.
    """
    relation: Relation | None = field(default=None, repr=False)
    """What its cases were perturbed by; None for the cases of a dataset."""
    recipe: Recipe | None = field(default=None, repr=False)
    """What makes a case of a changed row; None for a set that `cases()` did not make."""

    @cached_property
    def dataset_hash(self) -> str:
        """Hash of the ids and fields of all cases, in order."""
        return content_hash([[case.id, dict(case.fields)] for case in self.cases])

    @cached_property
    def positions(self) -> dict[str, int]:
        """Place of each case by its id, from 0."""
        return {case.id: place for place, case in enumerate(self.cases)}

    @property
    def label(self) -> str:
        """Name and short hash: `faq@3f2a9c1d`."""
        return f"{self.name}@{self.dataset_hash[:8]}"

    @property
    def prompt_label(self) -> str:
        """Short hash of the prompt, after the name of its variant: `3f2a9c1d04be`, `short 3f2a9c1d04be`."""
        return f"{self.prompt_name} {self.prompt_hash[:12]}".lstrip()

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Case, ...]: ...
    def __getitem__(self, index: int | slice) -> Case | tuple[Case, ...]:
        """A case by its position."""
        return self.cases[index]

    def __len__(self) -> int:
        """Number of cases, never times trials."""
        return len(self.cases)

    def each(self, function: Function) -> Function:
        """Decorator: one pytest item a case, with the case's id; `case` and `response` are its fixtures."""
        return _decorate(function, Decoration("each", self))

    def all(self, function: Function) -> Function:
        """Decorator: one pytest item for the whole set; `responses` and `baseline_responses` are its fixtures."""
        return _decorate(function, Decoration("all", self))

    def perturbed(self, relation: Relation, *, times: int = 3, field: str | None = None, seed: int = 0) -> CaseSet:
        """Each case followed by perturbations of it: the same question, changed in a way that should not matter.

        They are cases with ids such as `return-01~typos-1`, in one cluster with the case they were made from, and never
        `must_pass`; `case.origin` is the id of that case and `case.change` says what was changed. A question in which
        nothing can be changed has none. `violations(responses)` is the share that was answered otherwise.

        Args:
            relation: How questions are changed, for example `typos()`.
            times: Most perturbations of a case, all different.
            field: The field that is changed; by default the only one that the question names.
            seed: Of the draw. It depends on nothing else but the relation's name and the id of the case.

        Raises:
            DatasetError: If the relation changes nothing in any case, or a row does not have what it changes.
            TypeError: If the relation is none, the field has to be named, or the set is perturbed already.
            ValueError: If `times` is no count.
        """
        from pytest_llmval.case_sets.perturbing.perturbed_set import perturb

        return perturb(self, relation, times=times, field=field, seed=seed)


def _decorate(function: Function, decoration: Decoration) -> Function:
    if isinstance(function, type) or not hasattr(function, "__name__"):
        msg = f"@{decoration.case_set.name}.{decoration.mode} decorates a test function, not {function!r}"
        raise TypeError(msg)
    if hasattr(function, DECORATION):
        msg = f"{function.__name__}: decorated with two case sets; a test takes one, by .each or .all"
        raise TypeError(msg)
    setattr(function, DECORATION, decoration)
    return function


def content_hash(value: object) -> str:
    """SHA-256 of a value in canonical JSON: sorted keys, no blanks, UTF-8; sets sorted, other types by their `str`.

    >>> content_hash({"b": 1, "a": [1, 2.5, None]}) == content_hash({"a": [1, 2.5, None], "b": 1})
    True
    """
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: object) -> list[str] | str:
    """A value that JSON does not know. The order of a set changes from process to process."""
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)
