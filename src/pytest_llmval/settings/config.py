"""Config: the contents of `llmval.toml`, and where it is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import SettingsError
from pytest_llmval.settings.model_tables import models_from
from pytest_llmval.settings.tables import check_keys, read_toml, table_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llmval.settings.model import ModelSettings

CONFIG_NAME = "llmval.toml"
DEFAULT_BLOCK = 32


@dataclass(frozen=True, slots=True)
class Config:
    """The contents of one `llmval.toml`, or of `[tool.llmval]` in a `pyproject.toml`."""

    path: Path | None = None
    """The file, None when none was found."""
    models: Mapping[str, ModelSettings] = field(default_factory=dict)
    default_model: str | None = None
    default_baseline: str | None = None
    store: str | None = None
    block: int = DEFAULT_BLOCK
    """Cases that are answered together."""
    seed: int = 0

    working_folder: Path = field(default_factory=Path)
    """Where relative paths start when there is no file."""

    @property
    def folder(self) -> Path:
        """Where relative paths of the file start."""
        return self.path.parent if self.path else self.working_folder


def find_config(starts: Iterable[Path]) -> Path | None:
    """The nearest `llmval.toml`, or `pyproject.toml` with `[tool.llmval]`, in each start folder and those above it."""
    for start in starts:
        folder = start if start.is_dir() else start.parent
        for each in (folder, *folder.parents):
            found = _config_in(each)
            if found:
                return found
    return None


def _config_in(folder: Path) -> Path | None:
    own = folder / CONFIG_NAME
    if own.is_file():
        return own
    project = folder / "pyproject.toml"
    if project.is_file() and "llmval" in read_toml(project).get("tool", {}):
        return project
    return None


def read_config(path: Path) -> Config:
    """The settings in a file.

    Raises:
        SettingsError: If the file is missing, is not TOML, or has an unknown table, key or value.
    """
    if not path.is_file():
        msg = f"--llmval-config {path}: no such file"
        raise SettingsError(msg)
    raw = read_toml(path)
    if path.name == "pyproject.toml":
        raw = raw.get("tool", {}).get("llmval", {})
    check_keys(raw, ("models", "defaults", "store", "judge", "block"), path.name)
    defaults = table_of(raw, "defaults", path)
    check_keys(defaults, ("model", "baseline", "block", "seed"), f"{path.name} [defaults]")
    return Config(
        path=path.resolve(),
        models=models_from(table_of(raw, "models", path), path),
        default_model=_default(defaults, "model", raw, path),
        default_baseline=_default(defaults, "baseline", raw, path),
        store=_store_uri(table_of(raw, "store", path), path),
        block=whole(raw.get("block", defaults.get("block", DEFAULT_BLOCK)), "block", path, least=1),
        seed=whole(defaults.get("seed", 0), "seed", path, least=0),
    )


def _default(defaults: Mapping[str, Any], key: str, raw: Mapping[str, Any], path: Path) -> str | None:
    """A name from `[models]`, or a folder relative to the file."""
    name = defaults.get(key)
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        msg = f"{path.name} [defaults]: {key} = {name!r}; expected the name of a model version"
        raise SettingsError(msg)
    folder = path.parent.resolve() / name
    return str(folder) if name not in raw.get("models", {}) and folder.is_dir() else name


def _store_uri(table: Mapping[str, Any], path: Path) -> str | None:
    check_keys(table, ("uri",), f"{path.name} [store]")
    uri = table.get("uri")
    if uri is None:
        return None
    if not isinstance(uri, str) or "://" in uri:
        msg = f"{path.name} [store]: uri = {uri!r}; expected a folder, since this version keeps records on a disk only"
        raise SettingsError(msg)
    return str(path.parent.resolve() / uri)


def store_folder(named: str | None, config: Config, working_folder: Path, option: str = "--llmval-store") -> Path:
    """Where records are kept: the folder that was named, else the one of the settings file, else `.llmval` beside it.

    Raises:
        SettingsError: If a URL is named.
    """
    if named and "://" in named:
        msg = f"{option} {named!r}: expected a folder; stores at a URL are not available in this version"
        raise SettingsError(msg)
    return working_folder / named if named else Path(config.store or config.folder / ".llmval")
