"""`llmval check` and `llmval audit`: the contracts run by a pytest that no project of the user has a say in."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.errors import SettingsError
from pytest_llmval.settings import Config, find_config, read_config, resolve_version

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTRACTS = ("tokenizer", "chat_template", "numerics")
_SETTINGS_OF_OTHERS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")


def audit(model: str, tests: Sequence[str] = ()) -> int:
    """Exit status of pytest after known bugs were put into a model, one after the other, and tests run on each.

    Args:
        model: Folder of the model, or its name in `llmval.toml`.
        tests: Paths of the tests; by default the contracts, run as `check` runs them.

    Raises:
        SettingsError: If there is no such model.
    """
    _refuse_unknown(model, "MODEL")
    options = [f"--model-version={model}", "--llmval-audit"]
    if tests:
        return subprocess.run([sys.executable, "-m", "pytest", *tests, *options], check=False).returncode  # noqa: S603
    with tempfile.TemporaryDirectory(prefix="llmval-audit-") as folder:
        command = [*_pytest(Path(folder)), "-q", *options]
        return subprocess.run(command, env=_environment(), check=False).returncode  # noqa: S603 - no shell


def check(model: str, baseline: str | None = None, *, same_weights: bool = False) -> int:
    """Exit status of pytest after the contracts ran on a model; they tell what they find on the standard output.

    Args:
        model: Folder of the model, or its name in `llmval.toml`.
        baseline: That of the version it is compared with.
        same_weights: Whether both have the same weights, so that their numbers must agree.

    Raises:
        SettingsError: If there is no such model.
    """
    _refuse_unknown(model, "MODEL")
    if baseline:
        _refuse_unknown(baseline, "--baseline")
    with tempfile.TemporaryDirectory(prefix="llmval-check-") as folder:
        options = [f"--model-version={model}", *([f"--baseline-version={baseline}"] if baseline else [])]
        options += ["--llmval-same-weights"] if same_weights else []
        command = [*_pytest(Path(folder)), "-p", "pytest_llmval.contracts.reporting", *options]
        return subprocess.run(command, env=_environment(), check=False).returncode  # noqa: S603 - no shell


def _refuse_unknown(version: str, what: str) -> None:
    """Say at once what is no model, in the words of this command."""
    folder = Path.cwd()
    if (folder / version).is_file():
        near = str(Path(version).parent)
        msg = f"{what} {version!r} is a file; expected the folder of a Hugging Face model, as {near!r}"
        raise SettingsError(msg)
    path = find_config([folder])
    resolve_version(version, read_config(path) if path else Config(working_folder=folder), folder, what)


def _pytest(folder: Path) -> list[str]:
    """Command that runs pytest on the contracts, with settings and output in a folder of its own."""
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\n", encoding="utf-8")
    # -P: modules in the working folder do not hide libraries.
    return [
        sys.executable, "-P", "-m", "pytest", "--pyargs",
        *(f"pytest_llmval.contracts.test_{name}" for name in CONTRACTS),
        "-c", str(settings), f"--rootdir={folder}", "--noconftest", "--import-mode=importlib",
        "-p", "llmval", "-p", "no:cacheprovider",
        f"--llmval-store={folder / 'store'}", f"--llmval-out={folder / 'out'}",
    ]  # fmt: skip


def _environment() -> dict[str, str]:
    """The environment without what would change a run of pytest, other plugins included."""
    kept = {name: value for name, value in os.environ.items() if name not in _SETTINGS_OF_OTHERS}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
