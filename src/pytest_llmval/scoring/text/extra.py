"""What a metric says when its library is not installed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_llmval.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needed(library: str, metric: str) -> Iterator[None]:
    """Around an import of `library`: when it fails, `SettingsError` names the metric and the command that helps."""
    try:
        yield
    except ImportError as error:
        msg = f"{metric} needs {library}: pip install pytest-llmval[text]"
        raise SettingsError(msg) from error
