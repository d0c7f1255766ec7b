"""Environment: what a number may depend on besides the model."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("pytest", "pytest-xdist", "pytest-llmval", "torch", "transformers", "tokenizers", "numpy", "scipy")


def describe_environment() -> dict[str, Any]:
    """Python, libraries, machine and git revision. Nothing is imported for it and no name of a person is kept."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "libraries": library_versions(),
        "git_revision": git_revision(),
    }


def library_versions(names: tuple[str, ...] = LIBRARIES) -> dict[str, str | None]:
    """Installed version of each library, None for one that is not installed."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def git_revision(folder: Path | None = None) -> str | None:
    """Commit of the working tree, with `-dirty` when tracked files are changed; None outside a repository."""
    command = ("git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def resolve_device(wanted: str) -> str:
    """The device an engine will use: `cuda` when there is one and `auto` is wanted, else the CPU or what is named.

    torch is only imported where a GPU's device node makes the question necessary.
    """
    if wanted != "auto":
        return wanted
    if not Path("/dev/nvidia0").exists() and platform.system() != "Windows":
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
