"""The message of a golden that does not agree, or is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.scoring.tensors.golden.environment import changes_between
from pytest_llmval.scoring.tensors.wording import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.comparison import Comparison
    from pytest_llmval.scoring.tensors.golden.environment import Facts
    from pytest_llmval.scoring.tensors.golden.stored import StoredGolden


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What a message says of the place of a golden."""

    path: str
    """The file, as a user would type it."""
    name: str
    command: str
    """What accepts the new values."""


def failure_message(
    headline: Comparison | str, golden: StoredGolden, facts: Facts, where: Whereabouts, candidate: str
) -> str:
    """What differs, then where the golden lies, who wrote it, in which environment and tier, and how to accept."""
    return "\n".join([str(headline), *_provenance(golden, facts, where, candidate), _acceptance(where)])


def missing_message(where: Whereabouts) -> str:
    """What to do when there is no golden."""
    return (
        f"there is no golden {where.name!r} in {where.path}: nothing was compared\n"
        f"look at the values, then write it by: {where.command}"
    )


def unreadable_message(problem: str, where: Whereabouts) -> str:
    """What to do when a file cannot be read."""
    return f"{problem}\nrestore it, or delete it and write it anew by: {where.command}"


def author_text(golden: StoredGolden) -> str:
    """Who wrote a golden: the version and its fingerprint, or that none was named."""
    if not golden.author.version:
        return "no model version named"
    return f"{golden.author.version} (fingerprint {golden.author.fingerprint[:12]})"


def _provenance(golden: StoredGolden, facts: Facts, where: Whereabouts, candidate: str) -> Iterator[str]:
    yield f"golden {where.name!r} in {where.path}"
    versions = f"{author_text(golden)} -> {candidate}" if candidate else author_text(golden)
    yield f"  written {golden.written_at} by pytest-llmval {golden.author.plugin}; version: {versions}"
    yield f"  environment: {_environment(golden, facts)}"
    yield f"  tier {golden.tier}, {_noise(golden)}"


def _environment(golden: StoredGolden, facts: Facts) -> str:
    changes = changes_between(golden.environment, facts)
    if changes:
        return f"another one: {', '.join(map(str, changes))}; none of this environment is kept"
    return f"this one ({', '.join(f'{name} {value}' for name, value in sorted(facts.items()))})"


def _noise(golden: StoredGolden) -> str:
    if golden.tier == "full":
        return "every bit is kept"
    floor = f"noise floor rel-L2 {number(golden.noise)}"
    kept = [float(each.facts["self_kl"]) for each in golden.tensors if "self_kl" in each.facts]
    return f"{floor}, KL to itself {number(max(kept))}" if kept else floor


def _acceptance(where: Whereabouts) -> str:
    return f"to accept the new values: {where.command}"
