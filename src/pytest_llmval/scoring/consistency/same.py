"""Same: whether two answers say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.scoring.score import Unscored

if TYPE_CHECKING:
    from pytest_llmval.servers.exchange import Response

Same = Callable[["Response", "Response"], "bool | Unscored"]


def is_same_answer(original: Response, perturbed: Response) -> bool:
    """Whether both chose one option, else gave one text: letter case, white space around it and its amount aside.

    >>> from pytest_llmval.servers.exchange import Response
    >>> is_same_answer(Response(text="Within 45 days."), Response(text=" within  45 days."))
    True
    """
    return said_by(original) == said_by(perturbed)


def said_by(response: Response) -> str:
    """What answers that say the same have in common: the option, whatever its index, or the plain text."""
    return " ".join(response.text.casefold().split()) if response.choice is None else response.text


def differ(original: Response, perturbed: Response, same: Same) -> bool | Unscored:
    """Whether two answers do not say the same.

    Raises:
        ValueError: If `same` gives something else than True, False or `Unscored(reason)`.
    """
    found: Any = same(original, perturbed)
    if isinstance(found, Unscored):
        return found
    if not isinstance(found, bool | np.bool_):
        texts = f"{original.text!r:.40} and {perturbed.text!r:.40}"
        msg = f"same gave {found!r:.60} for {texts}; expected True, False or Unscored(reason)"
        raise ValueError(msg)  # noqa: TRY004 - a wrong value of the user's function, as in scored()
    return not found
