"""What the user asked for: `llmval.toml` read, model versions resolved, options merged."""

from pytest_llmval.settings.config import Config, find_config, read_config, store_folder
from pytest_llmval.settings.model import DTYPES, QUANTIZATIONS, ModelSettings
from pytest_llmval.settings.run import Settings, axes_from
from pytest_llmval.settings.versions import resolve_version

__all__ = [
    "DTYPES",
    "QUANTIZATIONS",
    "Config",
    "ModelSettings",
    "Settings",
    "axes_from",
    "find_config",
    "read_config",
    "resolve_version",
    "store_folder",
]
