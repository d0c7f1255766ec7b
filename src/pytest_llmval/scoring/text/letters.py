"""Letter accuracy: the option that a written answer to a multiple-choice question names."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses
from pytest_llmval.scoring.text.references import NO_REFERENCE, reference_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response

_WORDS = "AI"
"""Letters that are also words of English."""
_EMPHASIS = str.maketrans("", "", "*_`$")
_OPEN = r"(?:\\[a-z]{1,10}\{){0,2}[(\[{\"'“‘]?"
_ARTICLE = r"(?![ \t]{1,3}(?!(?:because|since|as)\b)\w)"
_COMMA = r",(?!\s*\W*[A-Za-z]\b)"
_ENDS = (
    rf"(?:\s*\Z|[)\]}}\"'”’.:;!]|{_COMMA}|[ \t]*\n|\s[-–—]|"
    r"\s(?:is|would\sbe)\s(?:the\s)?(?:correct|right|best|answer)\b)"
)


def letter_accuracy(responses: Iterable[Response], *, letters: str = "ABCDE") -> Scores:
    """Whether the letter that each answer gives is the reference letter, or one of several.

    Capital or not does not count, and `*`, `_`, back-ticks and `$` are taken out first. The answer's letter is, by the
    first of these rules that finds one:

    1. the last one stated: `answer`, `choice` or `option`, then `is`, `would be`, `should be`, `must be`, `:` or `=`,
       then the letter, perhaps in brackets or quotes: `The answer is B`, `Answer: (B)`, `the correct option is B`;
    2. the one that opens the answer and ends there, or is followed by a closing bracket or quote, by one of `.:;!`, a
       comma before a word, a new line, a dash, or `is correct` (right, best, the answer): `B`, `(B)`, `B. Paris`,
       `Option B`, `B is correct`; unless another letter opens a later line so, as where all options are repeated;
    3. the only one in brackets, or alone on a line.

    A letter followed by `or` or `and` and another letter is none in rules 1 and 2. A and I are words as well: followed
    by a blank and another word they are no letter there, except before `because`, `since`, `as` and `is correct`, so
    that `A dog is …` and `The answer is a dog` name none. An answer that gives no letter scores 0. A case stays
    `Unscored` without a reference, or when the reference is none of the letters.

    Args:
        responses: Generated answers; where the server chooses among texts, use `choice_accuracy`.
        letters: The letters of the options.

    Raises:
        ValueError: If these are not two or more different letters from A to Z.
    """
    _check_letters(letters)

    def is_right(case: Case, response: Response) -> bool | Unscored:
        texts = reference_texts(case)
        wanted = {letter for text in texts if (letter := _opening(text, letters))}
        if not wanted:
            return Unscored(f"the reference {case.reference!r:.80} is none of {letters}") if texts else NO_REFERENCE
        return given_letter(response.text, letters) in wanted

    return score_responses(responses, is_right, empty_scores("letter_accuracy", kind="binary"), f"1 letters={letters}")


def given_letter(answer: str, letters: str = "ABCDE") -> str | None:
    """The letter that an answer gives, by the rules of `letter_accuracy`; None when it gives none.

    >>> given_letter("Paris is in France, so the answer is **(B)**.")
    'B'
    """
    text = answer.translate(_EMPHASIS)
    return _stated(text, letters) or _opening(text, letters) or _alone(text, letters)


def _check_letters(letters: object) -> None:
    if not isinstance(letters, str) or not re.fullmatch("[A-Z]{2,}", letters) or len(set(letters)) < len(letters):
        msg = f"letters={letters!r:.80}; expected two or more different capital letters, such as 'ABCD'"
        raise ValueError(msg)


def _stated(text: str, letters: str) -> str | None:
    found = None
    for found in _stated_pattern(letters).finditer(text):  # noqa: B007 - only the last one is wanted
        pass
    return found["letter"].upper() if found else None


def _opening(text: str, letters: str) -> str | None:
    found = list(_opening_pattern(letters).finditer(text.translate(_EMPHASIS).lstrip()))
    named = {match["letter"].upper() for match in found}
    return named.pop() if len(named) == 1 and found[0].start() == 0 else None


def _alone(text: str, letters: str) -> str | None:
    """The only letter in brackets or alone on a line."""
    pattern = _alone_pattern(letters)
    found = {(match["bracketed"] or match["line"]).upper() for match in pattern.finditer(text)}
    return found.pop() if len(found) == 1 else None


@cache
def _stated_pattern(letters: str) -> re.Pattern[str]:
    named = r"\b(?:answer|choice|option)(?:\s{0,3}(?:\b(?:is|would\sbe|should\sbe|must\sbe)\b|[:=])){1,3}"
    what = r"\s{0,3}(?:(?:the\s)?(?:answer|choice|option|letter)\s)?"
    return re.compile(f"{named}{what}{_OPEN}{_letter(letters)}", re.IGNORECASE)


@cache
def _opening_pattern(letters: str) -> re.Pattern[str]:
    what = r"(?:(?:the\s)?(?:answer|choice|option|letter)\s)?"
    letter = f"(?P<letter>[{letters}]){_stands_alone(letters)}"
    return re.compile(f"^{what}{_OPEN}{letter}{_ENDS}", re.IGNORECASE | re.MULTILINE)


@cache
def _alone_pattern(letters: str) -> re.Pattern[str]:
    bracketed = rf"(?:(?<!\w)[(\[]|\{{)(?P<bracketed>[{letters}])[)\]}}]"
    line = rf"^[ \t]{{0,9}}[\"'“‘]?(?P<line>[{letters}])[.:\"'”’)]?[ \t]{{0,9}}$"
    return re.compile(f"{bracketed}|{line}", re.IGNORECASE | re.MULTILINE)


def _letter(letters: str) -> str:
    """One of the letters where it stands alone and is not an article before a word."""
    words = "".join(letter for letter in letters if letter in _WORDS)
    others = "".join(letter for letter in letters if letter not in _WORDS)
    ways = [f"[{others}]"] * bool(others) + [f"[{words}]{_ARTICLE}"] * bool(words)
    return f"(?P<letter>{'|'.join(ways)}){_stands_alone(letters)}"


def _stands_alone(letters: str) -> str:
    """What may not follow: the rest of a word, or another letter after `or` or `and`."""
    return rf"(?![\w'’+#&]|[-.]\w|[)\]}}]?\s(?:or|and)\s[(\[{{]?[{letters}]\b)"
