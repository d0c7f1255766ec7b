"""`llmval bless`: a person accepts the answers of a run as a baseline that is kept under a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.cli.ci import refuse_ci
from pytest_llmval.cli.runs import find_run, run_notes, workplace
from pytest_llmval.errors import SettingsError
from pytest_llmval.records.baseline import write_baseline
from pytest_llmval.records.baseline_names import BASELINES, recorded_baselines
from pytest_llmval.records.blessing import answered_sets, origin_of
from pytest_llmval.run import now
from pytest_llmval.verdicts.wording import counted, naming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmval.cli.runs import Workplace
    from pytest_llmval.records.baseline import AnsweredSet, Origin


@dataclass(frozen=True, slots=True)
class Blessed:
    """A recorded baseline that was just written."""

    folder: Path
    origin: Origin
    answered: Sequence[AnsweredSet]
    is_found_by_name: bool
    """Whether its name alone tells where it is."""
    notes: tuple[str, ...]
    """What whoever blesses should know of the run."""


def bless(
    run: str,
    name: str,
    *,
    into: str | None = None,
    in_store: bool = False,
    version: str | None = None,
    store: str | None = None,
) -> Blessed:
    """Write the answers of a run as a recorded baseline.

    Args:
        run: Id of the run, the beginning of one, or `latest`.
        name: Name of the baseline.
        into: Folder in which the baseline gets its own; by default `baselines` beside the settings file.
        in_store: Put it into `baselines` of the record store instead.
        version: Whose answers are taken; by default those of the run's candidate.
        store: Folder of the record store.

    Raises:
        SettingsError: If CI asks for it, the name cannot be taken, or there is no such run.
        StoreError: If the run has no answers of the version.
    """
    refuse_ci("blesses: a baseline is accepted by a person", "bless at your desk and commit the folder")
    place = workplace(store)
    folder = _home(place, into, in_store=in_store) / name
    _check_name(name, place, folder)
    run_id = find_run(place.store, run)
    manifest = place.store.read_manifest(run_id)
    chosen = version or str(manifest["candidate"])
    answered = answered_sets(place.store, run_id, chosen)
    origin = origin_of(manifest, chosen, name, blessed_at=now())
    if in_store:
        place.store.open()
    write_baseline(folder, origin, answered)
    return Blessed(folder, origin, answered, is_found_by_name=into is None, notes=tuple(run_notes(place.store, run_id)))


def _home(place: Workplace, into: str | None, *, in_store: bool) -> Path:
    if into is not None:
        return Path.cwd() / into
    return (place.store.root if in_store else place.config.folder) / BASELINES


def _check_name(name: str, place: Workplace, folder: Path) -> None:
    """Refuse a name that another baseline or a model has, or that is no name of a folder."""
    if not re.fullmatch(r"\w[\w.+-]*", name):
        msg = f"--as {name!r}: expected a plain name of letters, digits and . _ + -, such as 'v1-oct'"
        raise SettingsError(msg)
    if name in place.config.models:
        msg = f"--as {name!r}: a model in {place.config.path} has this name; choose another, such as '{name}-recorded'"
        raise SettingsError(msg)
    existing = folder if folder.exists() else recorded_baselines(place.config, place.store.root).get(name)
    if existing:
        msg = f"--as {name!r}: {existing} is there already, and a recorded baseline never changes; choose another name"
        raise SettingsError(msg)


def blessed_lines(blessed: Blessed) -> Iterator[str]:
    """What was kept, what was not, how its run ended, and how to compare with it."""
    origin = blessed.origin
    answers = sum(len(each.answers) for each in blessed.answered)
    yield f"{origin.name}: {counted(answers, 'answer')} of {origin.version}, from run {origin.run_id}"
    for each in blessed.answered:
        yield f"  {each.conditions.dataset}: {_kept(each)}"
    yield f"wrote {blessed.folder}"
    yield from blessed.notes
    named = origin.name if blessed.is_found_by_name else blessed.folder
    yield f"\ncompare with it:\n    pytest --model-version NAME --baseline-version {named}"


def _kept(answered: AnsweredSet) -> str:
    kept = len({answer.case_id for answer in answered.answers})
    told = f"{kept} of {counted(answered.cases, 'case')}"
    if answered.left_out:
        told += f"; left out, since an answer failed: {naming(answered.left_out)}"
    asked = kept + len(answered.left_out)
    return told + (f"; {answered.cases - asked} were not asked in this run" if asked < answered.cases else "")
