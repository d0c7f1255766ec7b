"""Calls into transformers and peft: nothing is printed meanwhile, and what they raise becomes one line."""

from __future__ import annotations

import contextlib
import logging
import warnings
from typing import TYPE_CHECKING, Any

from transformers.utils import logging as output

from pytest_llmval.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def call_foreign(failure: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What the function returns, quietly.

    Raises:
        ServerError: If it raises anything; the text is `failure` and the first line of what it said.
    """
    try:
        with quiet():
            return function(*arguments, **options)
    except Exception as error:  # transformers, peft, safetensors, torch and the hub each raise their own kinds
        msg = f"{failure}: {_first_line(error)}"
        raise ServerError(msg) from error


def _first_line(error: Exception) -> str:
    """Kind and first line of an error, and the second where the first only announces it."""
    first, second, *_ = [*map(str.strip, str(error).strip().split("\n")), ""]
    return f"{type(error).__name__}: {f'{first} {second}' if first.endswith(':') else first}"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, log lines and warnings meanwhile; problems are ours to report.

    Warnings are those that one library gives about another. A suite that makes warnings errors would fail for them.
    """
    bars: Any = output  # its functions have no annotations
    shown, disabled = bars.is_progress_bar_enabled(), logging.root.manager.disable
    bars.disable_progress_bar()
    logging.disable(max(disabled, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        if shown:
            bars.enable_progress_bar()
