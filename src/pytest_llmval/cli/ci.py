"""CI: what a person accepts, a build server must not."""

from __future__ import annotations

import os

from pytest_llmval.errors import SettingsError

VARIABLES = ("CI", "BUILD_NUMBER")
"""What build servers set; pytest goes by the same two."""


def refuse_ci(never: str, instead: str) -> None:
    """Refuse what CI must not do.

    Args:
        never: What it never does and why: `blesses: a baseline is accepted by a person`.
        instead: What the user does.

    Raises:
        SettingsError: If this is CI.
    """
    for variable in VARIABLES:
        if os.environ.get(variable):
            msg = f"CI never {never} ({variable}={os.environ[variable]!r} is set); {instead}"
            raise SettingsError(msg)
