"""The model version that a name, a folder or a URL stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import SettingsError, nearest
from pytest_llmval.settings.config import CONFIG_NAME, Config
from pytest_llmval.settings.model import ModelSettings
from pytest_llmval.settings.problems import problems_of
from pytest_llmval.settings.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def resolve_version(
    name: str, config: Config, working_folder: Path, option: str, others: Iterable[str] = ()
) -> ModelSettings:
    """The model version that a name, a folder or a URL stands for.

    Args:
        name: What the user gave: a name from `[models]`, a folder relative to `working_folder`, or the base URL of a
            server with the OpenAI interface, which is asked for the one model that it serves.
        config: The configuration whose names are known.
        working_folder: Where relative folders start.
        option: Name of the option, for the message.
        others: Recorded baselines that would do as well, for the message.

    Raises:
        SettingsError: If it is none of these; the message lists the known names and suggests the nearest.
    """
    if name in config.models:
        return _checked(config.models[name], option)
    if name.startswith(("http://", "https://")):
        return ModelSettings(name=shown_url(name), server="openai", url=name.rstrip("/"))
    folder = working_folder / name
    if folder.is_dir():
        return _checked(ModelSettings(name=_folder_name(folder), model=str(folder.resolve())), option)
    raise SettingsError(_unknown(name, config, option, list(others)))


def _folder_name(folder: Path) -> str:
    return folder.resolve().name or "model"


def _unknown(name: str, config: Config, option: str, recorded: list[str]) -> str:
    where = f"in {config.path}" if config.path else f"(there is no {CONFIG_NAME})"
    where += " and among the recorded baselines" if recorded else ""
    if "/" in name or name.startswith("."):
        return f"{option} {name!r}: no such folder, and no such name in [models] {where}"
    known = nearest(name, [*config.models, *recorded])
    return f"{option}: unknown model version {name!r}; {known} {where}; or give a model folder"


def _checked(model: ModelSettings, option: str) -> ModelSettings:
    for problem in problems_of(model):
        msg = f"{option} {model.name!r}: {problem}"
        raise SettingsError(msg)
    return model
