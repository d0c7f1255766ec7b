"""Option order: the options of a multiple-choice question in another order."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.perturbing.edit import Edit, Edits
from pytest_llmval.case_sets.perturbing.relation import Relation, list_from, text_of
from pytest_llmval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FEWEST = 2
_LONGEST_GAP = 20
"""Characters between two options that a text lists: a comma, or the mark of the next line."""
_LONGEST_CHANGE = 150
_MOST_MOVED = 20
"""There are 20! < 2^63 orders of so many, as far as a length goes."""


def option_order(listed: str | None = None) -> Relation:
    """The options in another order, each order as likely as any other; the right one is found by its text.

    Where the options are a field that the question shows, as `{options[0]}`, this field is permuted, and the index of
    the right option with it. Where the text of the question lists them itself, as in `"Options: pen, ink. Which …"`,
    `listed` names the field with the options, and they change places in the text. Of more than 20 options the last 20
    move.

    An answer has to be the text of an option: a letter or a number stands for another option in another order. Hence
    the `choices` of the cases, or else their `reference`, have to be texts of options. The default comparison of
    `violations` sees through no letter either.

    Args:
        listed: Field with the options, in the order in which the text of the question lists them.

    >>> [edit.new for edit in option_order().edits(["pen", "ink", "cap"])][:2]
    [['pen', 'cap', 'ink'], ['ink', 'pen', 'cap']]
    """
    if listed is None:
        return Relation("option_order", _find, reads="choices", options=lambda value, _: _texts(value))

    def find(value: Any, fields: Mapping[str, Any]) -> Sequence[Edit]:
        return _find_in_text(text_of("option_order", value), listed, fields)

    return Relation("option_order", find, parameters=repr(listed), options=lambda _, fields: _texts(fields[listed]))


def _find(value: Any, _: Mapping[str, Any]) -> Sequence[Edit]:
    options = _options(value)

    def make(number: int) -> Edit:
        moved = _reordered(options, number)
        new = json.dumps(moved, ensure_ascii=False) if isinstance(value, str) else type(value)(moved)
        return Edit(None, new, _in_words(moved))

    return Edits(_orders(options), make)


def _find_in_text(text: str, listed: str, fields: Mapping[str, Any]) -> Sequence[Edit]:
    if listed not in fields:
        msg = f"option_order({listed!r}): this row lacks the field {listed!r}"
        raise DatasetError(msg)
    options = _options(fields[listed])
    spans = _places(text, options, listed)

    def make(number: int) -> Edit:
        moved = _reordered(options, number)
        return Edit((spans[0][0], spans[-1][1]), "".join(_filled(text, spans, moved)), _in_words(moved))

    return Edits(_orders(options), make)


def _options(value: Any) -> list[Any]:
    """The options; a CSV file has them as a JSON list."""
    found = list_from(value)
    if not isinstance(found, list | tuple) or len(found) < _FEWEST:
        msg = f"option_order changes lists of at least {_FEWEST} options, not {value!r:.60}"
        raise DatasetError(msg)
    return list(found)


def _texts(value: Any) -> list[str]:
    return [str(option) for option in _options(value)]


def _places(text: str, options: Sequence[Any], listed: str) -> list[tuple[int, int]]:
    """Where the text lists the options, one soon after the other: one of them may be named before the list as well."""
    words = [rf"(?<!\w){re.escape(str(option))}(?!\w)" for option in options]
    gap = rf"(?:(?!{'|'.join(words)}).){{1,{_LONGEST_GAP}}}?"
    found = re.search(gap.join(f"({word})" for word in words), text, re.DOTALL)
    if found is None:
        named = ", ".join(map(str, options))
        msg = f"option_order({listed!r}): {text!r:.60} does not list {named!r:.60}, one after the other"
        raise DatasetError(msg)
    return [found.span(place) for place in range(1, len(options) + 1)]


def _filled(text: str, spans: Sequence[tuple[int, int]], options: Sequence[Any]) -> Iterator[str]:
    """The list as the text has it, with other options at its places."""
    for place, option in enumerate(options):
        if place:
            yield text[spans[place - 1][1] : spans[place][0]]
        yield str(option)


def _orders(options: Sequence[Any]) -> range:
    """The numbers of all orders but the one they have, as `_reordered` counts."""
    return range(1, math.factorial(min(len(options), _MOST_MOVED)))


def _reordered(options: Sequence[Any], number: int) -> list[Any]:
    """The options in the order of that number, counted as in a dictionary: small numbers move the last ones.

    >>> _reordered(["a", "b", "c"], 5)
    ['c', 'b', 'a']
    """
    fixed = max(0, len(options) - _MOST_MOVED)
    order, left = list(options[:fixed]), list(options[fixed:])
    while left:
        place, number = divmod(number, math.factorial(len(left) - 1))
        order.append(left.pop(place))
    return order


def _in_words(options: Sequence[Any]) -> str:
    return f"the order {', '.join(map(str, options)):.{_LONGEST_CHANGE}}"
