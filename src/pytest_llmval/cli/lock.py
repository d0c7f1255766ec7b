"""`llmval lock`: pytest collects the tests of a suite and pins the data that their case sets ask."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.cli.ci import refuse_ci
from pytest_llmval.settings import find_config

if TYPE_CHECKING:
    from collections.abc import Sequence


def lock(arguments: Sequence[str] = ()) -> int:
    """Exit status of a pytest that collects tests and writes `llmval.lock`; it tells what has changed.

    Args:
        arguments: Paths of tests and options of pytest; without any, the tests beside and below `llmval.toml`, which is
            looked for from the working directory upward. With paths, what other tests ask stays locked as it was.

    Raises:
        SettingsError: If CI asks for it.
    """
    refuse_ci("locks: changed data are accepted by a person", "lock at your desk and commit llmval.lock")
    settings_file = None if arguments else find_config([Path.cwd()])
    command = [sys.executable, "-m", "pytest", "-qq", "--llmval-lock", *arguments]
    folder = settings_file.parent if settings_file else None
    return subprocess.run(command, cwd=folder, check=False).returncode  # noqa: S603 - no shell
