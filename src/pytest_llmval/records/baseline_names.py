"""Recorded baselines by name: where they stand, and which version an option names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import SettingsError
from pytest_llmval.records.baseline import MANIFEST
from pytest_llmval.settings import ModelSettings, resolve_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_llmval.settings import Config

BASELINES = "baselines"
"""Folder of the recorded baselines, beside the settings file and in the record store."""


def recorded_baselines(config: Config, store: Path) -> dict[str, Path]:
    """The recorded baselines beside the settings file and in the store, by name; of two of one name the first."""
    found: dict[str, Path] = {}
    for place in (config.folder / BASELINES, store / BASELINES):
        for manifest in sorted(place.glob(f"[!.]*/{MANIFEST}")):
            found.setdefault(manifest.parent.name, manifest.parent.resolve())
    return found


def resolve_baseline(
    name: str, config: Config, working_folder: Path, option: str, recorded: Mapping[str, Path]
) -> ModelSettings:
    """The version to compare with: what `resolve_version` finds, or a recorded baseline by its name or folder.

    Args:
        name: What the user gave. A name from `[models]` goes before a recorded baseline, and that before a folder.
        config: As for `resolve_version`.
        working_folder: As for `resolve_version`.
        option: As for `resolve_version`.
        recorded: Folders of the recorded baselines, by name.

    Raises:
        SettingsError: If it is none of these.
    """
    folder = _recorded_folder(name, working_folder, recorded)
    if name not in config.models and folder is not None:
        return ModelSettings(name=folder.name, server="recorded", model=str(folder))
    return resolve_version(name, config, working_folder, option, recorded)


def _recorded_folder(name: str, working_folder: Path, recorded: Mapping[str, Path]) -> Path | None:
    folder = recorded.get(name) or (working_folder / name).resolve()
    return folder if (folder / MANIFEST).is_file() and not _is_model(folder) else None


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def resolve_candidate(
    name: str, config: Config, working_folder: Path, option: str, recorded: Mapping[str, Path]
) -> ModelSettings:
    """The version under test: what `resolve_version` finds. The arguments are those of `resolve_baseline`.

    A model folder may bear the name of a recorded baseline, since none of those can be meant here.

    Raises:
        SettingsError: If it is none of these, or a recorded baseline.
    """
    is_model = name in config.models or _is_model(working_folder / name)
    if not is_model and _recorded_folder(name, working_folder, recorded):
        msg = (
            f"{option} {name!r} is a recorded baseline, which can only be compared with, as --baseline-version {name}; "
            "expected a model that can be asked"
        )
        raise SettingsError(msg)
    return resolve_version(name, config, working_folder, option)
