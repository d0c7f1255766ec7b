"""Whether answers can be read by a program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.case_sets.function_source import source_of
from pytest_llmval.scoring.scored import empty_scores, score_responses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.servers.exchange import Response


def parsed(responses: Iterable[Response], parser: Callable[[str], object]) -> Scores:
    """Whether each answer can be parsed: 1 where the parser gives a value, 0 where it raises or gives None.

    `assert_at_least(parsed(responses, json.loads), 0.98)` is the rate of answers that can be, with its interval.

    Args:
        responses: The answers.
        parser: Takes the text of an answer: `json.loads`, the `fullmatch` of a compiled pattern, or any other.
    """
    check_parser(parser)

    def is_parsed(_: Case, response: Response) -> bool:
        try:
            return parser(response.text) is not None
        except Exception:  # noqa: BLE001 - whatever a parser raises, it could not read the text
            return False

    return score_responses(responses, is_parsed, empty_scores("parsed", kind="binary"), _version(parser))


def check_parser(parser: object) -> None:
    """Refuse what cannot be called, such as a pattern itself."""
    if not callable(parser):
        msg = f"parser={parser!r:.80}; expected a function of the text, such as json.loads or re.compile(...).search"
        raise TypeError(msg)


def _version(parser: Callable[[str], object]) -> str:
    """Changes with the parser; all patterns have the same methods, so that the pattern itself has to tell."""
    pattern = getattr(parser, "__self__", None)
    told = [pattern.pattern, pattern.flags] if isinstance(pattern, re.Pattern) else []
    return content_hash([source_of(parser), *told])[:8]
