"""Whether the number in an answer is the reference."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from numbers import Number
from typing import TYPE_CHECKING, Literal, get_args

from pytest_llmval.errors import nearest
from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import empty_scores, score_responses
from pytest_llmval.scoring.text.patterns import compiled_pattern, pattern_version
from pytest_llmval.scoring.text.references import NO_REFERENCE, reference_values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.servers.exchange import Response

Pick = Literal["last", "first", "only"]
Reader = Callable[[str], Decimal | None]

_SEPARATORS = ",'\u00a0\u2009\u202f"
_NUMBER = re.compile(
    rf"""(?P<sign>(?<![\w)\]}}%])[-+\u2212])?         # not in 3-5, where it parts two numbers
    (?:[$€£¥₹][ ]?)?
    (?<![A-Za-z_\d])(?<!\d\.)                         # not in B2, nor in the rest of 1.2.3
    (?P<size>(?:\d{{1,3}}(?:[{_SEPARATORS}]\d{{3}})+(?!\d)|\d+)(?:\.\d+)?|(?<!\.)\.\d+)
    (?P<exponent>[eE][-+\u2212]?\d+)?""",
    re.VERBOSE,
)
_PLAIN = str.maketrans({"\u2212": "-"} | dict.fromkeys(_SEPARATORS, ""))
_EXACT = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Decimal arithmetic without the rounding of floats: 0.3 − 0.2 is 0.1."""


def numeric_answer(
    responses: Iterable[Response],
    *,
    tolerance: float = 0.0,
    relative_tolerance: float = 0.0,
    pick: Pick | str | re.Pattern[str] = "last",
) -> Scores:
    """Whether the number that each answer gives is the reference, or one of several.

    A number is a run of digits with a decimal point (`3.5`, `.5`), thousands in groups of three parted by a comma, an
    apostrophe or a no-break or thin blank (`1,234,567`), a sign right before it (`-5`, `−5`, `-$5`; in `3-5` it is
    none) and an exponent (`1e-3`). A currency sign before it and what follows it are not part of it: `$5`, `5 %`, `5km`
    and `5th` are all 5. Digits right after a letter of a to z are none (`B2`). Not read are a decimal comma (`3,5` is 3
    and 5), fractions (`1/2` is 1 and 2), numbers in words, NaN and infinity. Right is |answer − reference| ≤ the larger
    of `tolerance` and `relative_tolerance`·|reference|, in exact decimals.

    An answer without such a number scores 0. A case stays `Unscored` without a reference, or when the reference is
    neither a finite number nor a text with exactly one number.

    Args:
        responses: The answers.
        tolerance: Largest difference, 0 or more.
        relative_tolerance: Largest difference as a share of the reference, 0 or more.
        pick: Which number of an answer counts: `"last"`, `"first"`, `"only"` (an answer with several scores 0), or a
            regular expression with one group, in whose first match the group's first number counts.

    Raises:
        ValueError: If a tolerance is negative or not finite, or `pick` is no word of these and no such expression.
    """
    allowed = [_tolerance("tolerance", tolerance), _tolerance("relative_tolerance", relative_tolerance)]
    read = _reader(pick)

    def is_right(case: Case, response: Response) -> bool | Unscored:
        wanted = _wanted(case)
        if isinstance(wanted, Unscored):
            return wanted
        found = read(response.text)
        return found is not None and any(_is_near(found, each, *allowed) for each in wanted)

    version = f"tolerance={tolerance!r} relative={relative_tolerance!r} pick={_pick_version(pick)}"
    return score_responses(responses, is_right, empty_scores("numeric_answer", kind="binary"), version)


def _tolerance(name: str, value: object) -> Decimal:
    number = _finite(value)
    if number is None or number < 0:
        msg = f"{name}={value!r}; expected a finite number, 0 or more"
        raise ValueError(msg)
    return number


def _is_near(found: Decimal, wanted: Decimal, tolerance: Decimal, relative: Decimal) -> bool:
    """Compared first: equal numbers of any size are equal, without a difference that has to be rounded."""
    if found == wanted:
        return True
    difference = _EXACT.abs(_EXACT.subtract(found, wanted))
    return bool(difference <= tolerance or difference <= _EXACT.multiply(relative, _EXACT.abs(wanted)))


def _wanted(case: Case) -> tuple[Decimal, ...] | Unscored:
    """The references that are numbers, or why there is none."""
    values = reference_values(case)
    found = tuple(number for number in map(_reference_number, values) if number is not None)
    if found or not values:
        return found or NO_REFERENCE
    return Unscored(f"the reference {case.reference!r:.80} is no finite number, nor a text with exactly one")


def _reference_number(value: object) -> Decimal | None:
    return _only(value) if isinstance(value, str) else _finite(value)


def _finite(value: object) -> Decimal | None:
    """A finite number as it is written, None for everything else."""
    if isinstance(value, bool) or not isinstance(value, Number):
        return None
    number = Decimal(value) if isinstance(value, int) else _decimal(str(value))
    return number if number is not None and number.is_finite() else None


def _reader(pick: Pick | str | re.Pattern[str]) -> Reader:
    """The function that finds the number of an answer."""
    if isinstance(pick, str) and pick in _READERS:
        return _READERS[pick]
    if isinstance(pick, str) and "(" not in pick:
        msg = f"pick={pick!r}: neither a regular expression with one group nor a known word; {nearest(pick, _READERS)}"
        raise ValueError(msg)
    pattern = compiled_pattern(pick, "pick")
    if pattern.groups != 1:
        msg = f"pick={pick!r} has {pattern.groups} groups; expected one, around the number"
        raise ValueError(msg)

    def grouped(text: str) -> Decimal | None:
        match = pattern.search(text)
        return _first(match[1]) if match and match[1] is not None else None

    return grouped


def _pick_version(pick: Pick | str | re.Pattern[str]) -> str:
    return pick if isinstance(pick, str) and pick in get_args(Pick) else pattern_version(compiled_pattern(pick))


def _first(text: str) -> Decimal | None:
    return _number(_NUMBER.search(text))


def _last(text: str) -> Decimal | None:
    last = None
    for last in _NUMBER.finditer(text):  # noqa: B007 - a long answer has many, and only one is wanted
        pass
    return _number(last)


def _only(text: str) -> Decimal | None:
    found = _NUMBER.finditer(text)
    first, second = next(found, None), next(found, None)
    return None if second else _number(first)


_READERS: dict[str, Reader] = {"last": _last, "first": _first, "only": _only}


def _number(match: re.Match[str] | None) -> Decimal | None:
    """The value; None where nothing matches, or an exponent has more digits than any number needs."""
    if match is None:
        return None
    return _decimal("".join(filter(None, (match["sign"], match["size"], match["exponent"]))).translate(_PLAIN))


def _decimal(written: str) -> Decimal | None:
    try:
        return Decimal(written)
    except InvalidOperation:
        return None
