"""Capabilities: what a sound tokenizer or template may have or lack, frozen as data and compared by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_llmval.errors import nearest

Value = bool | Mapping[str, int] | tuple[str, ...] | None
"""What was probed; None where the question does not arise."""


@dataclass(frozen=True, slots=True)
class Probed:
    """The answer to one question, and the text that shows it."""

    value: Value
    example: str


@dataclass(frozen=True, slots=True)
class Flip:
    """One capability that is not what it was."""

    capability: str
    baseline: Value
    candidate: Value
    baseline_example: str
    candidate_example: str

    def __str__(self) -> str:
        examples = dict.fromkeys((f"baseline: {self.baseline_example}", f"candidate: {self.candidate_example}"))
        lines = [f"    {each}" for each in examples if not each.endswith(": ")]
        return "\n".join([f"{self.capability}: {_change(self.baseline, self.candidate)}", *lines])


@dataclass(frozen=True, slots=True)
class Profile:
    """Base of the profiles: one field a capability, compared by value."""

    examples: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False)
    """Capability to the text that shows it."""

    def as_json(self) -> dict[str, Any]:
        """Plain data for a golden."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


ProfileT = TypeVar("ProfileT", bound=Profile)


def profile_from_json(kind: type[ProfileT], data: Mapping[str, Any]) -> ProfileT:
    """The profile that `as_json` wrote. A capability that did not exist then is None, which flips nothing.

    Raises:
        ValueError: If it names a capability that does not exist.
    """
    known = [field.name for field in dataclasses.fields(kind)]
    for name in data:
        if name not in known:
            msg = f"{kind.__name__} has no capability {name!r}; {nearest(name, known)}"
            raise ValueError(msg)
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return kind(**values)


def flips_of(candidate: ProfileT, baseline: ProfileT) -> tuple[Flip, ...]:
    """Every capability that differs, in the order of the profile. What the baseline does not say is not compared."""
    return tuple(
        Flip(
            name,
            getattr(baseline, name),
            getattr(candidate, name),
            baseline.examples.get(name, ""),
            candidate.examples.get(name, ""),
        )
        for name in (field.name for field in dataclasses.fields(candidate) if field.compare)
        if getattr(baseline, name) not in (None, getattr(candidate, name))
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _change(baseline: Value, candidate: Value) -> str:
    if isinstance(baseline, Mapping) and isinstance(candidate, Mapping):
        return _changed_ids(baseline, candidate)
    if isinstance(baseline, tuple) and isinstance(candidate, tuple):
        lost = [f"{each!r} lost" for each in baseline if each not in candidate]
        return ", ".join(lost + [f"{each!r} new" for each in candidate if each not in baseline]) or "another order"
    return f"{_word(baseline)} -> {_word(candidate)}"


def _changed_ids(baseline: Mapping[str, int], candidate: Mapping[str, int]) -> str:
    lost = [f"{name!r} (id {number}) lost" for name, number in baseline.items() if name not in candidate]
    new = [f"{name!r} (id {number}) new" for name, number in candidate.items() if name not in baseline]
    moved = [
        f"{name!r} moved from id {number} to {candidate[name]}"
        for name, number in baseline.items()
        if candidate.get(name, number) != number
    ]
    return ", ".join(lost + moved + new)


def _word(value: Value) -> str:
    if value is None:
        return "not applicable"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else repr(value)
