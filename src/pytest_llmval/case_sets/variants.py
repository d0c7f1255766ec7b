"""Variants: the same cases asked in several wordings, each with a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Wording = str | Mapping[str, str] | None


def wordings_of(*, prompt: Wording, chat: Wording, system: Wording) -> dict[str, dict[str, Any]]:
    """Each variant's own prompt, chat and system text, and what messages call its question, by its name.

    Without variants there is one, with an empty name. An argument that is the same for all variants is text.

    Raises:
        TypeError: If an argument has no variants, one that is no text, or other names than another argument.

    >>> variants = wordings_of(prompt={"short": "{q}", "long": "Say: {q}"}, chat=None, system=None)
    >>> variants["long"]["prompt"], variants["long"]["question"]
    ('Say: {q}', "prompt['long']")
    """
    given = {"prompt": prompt, "chat": chat, "system": system}
    varied = {argument: value for argument, value in given.items() if isinstance(value, Mapping)}
    for argument, variants in varied.items():
        _check_variants(argument, variants)
    return {
        name: {argument: _of(value, name) for argument, value in given.items()} | {"question": _question(given, name)}
        for name in _names(varied)
    }


def _check_variants(argument: str, variants: Mapping[Any, Any]) -> None:
    if not variants:
        msg = f"cases({argument}={{}}): expected a text, or variants of it by name, such as {{'short': '{{question}}'}}"
        raise TypeError(msg)
    for name, text in variants.items():
        if not isinstance(name, str) or not name.strip():
            msg = f"cases({argument}={{...}}): a variant named {name!r}; expected text that --llmval-prompt can give"
            raise TypeError(msg)
        if not isinstance(text, str):
            msg = (
                f"cases({argument}={{...}}): the variant {name!r} is {text!r:.60}; expected text such as '{{question}}'"
            )
            raise TypeError(msg)


def _names(varied: Mapping[str, Mapping[str, str]]) -> Iterable[str]:
    """The names of all variants, in the order of the first argument that has them."""
    (first, names), *others = varied.items() or [("", {"": ""})]
    for argument, variants in others:
        if set(variants) != set(names):
            msg = (
                f"cases(): {first}= has the variants {_listed(names)}, {argument}= has {_listed(variants)}; "
                "expected the same names in both"
            )
            raise TypeError(msg)
    return names


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _of(value: Wording, name: str) -> str | None:
    return value[name] if isinstance(value, Mapping) else value


def _question(given: Mapping[str, Wording], name: str) -> str:
    """What messages call the template of the question: `chat`, or `prompt['long']`."""
    argument = "prompt" if given["prompt"] is not None else "chat"
    return f"{argument}[{name!r}]" if isinstance(given[argument], Mapping) else argument
