"""Hypothesis strategies for texts, token ids and conversations that look for trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.adversarial import EDGE_TEXTS, FRAGMENTS, SPECIAL_STRINGS, parts_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_ANY_CODE_POINT_BELOW = 0x30000  # the planes that hold assigned characters
_SPECIAL_SHOWN = 64


def texts(tokenizer: Any = None, *, max_fragments: int = 12, special: bool = True) -> SearchStrategy[str]:
    """Texts of combining marks, joined emoji, ligatures, odd white space, and special strings or parts of them.

    Args:
        tokenizer: Its own special strings are used beside the common ones.
        max_fragments: Largest number of pieces a text is put together from, at least 1. A piece is one character to
            a few words.
        special: Whether special strings occur, whole or in part. Surrogates never occur: they are no text.
    """
    st = _strategies()
    if max_fragments < 1:
        msg = f"max_fragments={max_fragments!r}; expected at least 1"
        raise ValueError(msg)
    characters = st.characters(max_codepoint=_ANY_CODE_POINT_BELOW - 1, exclude_categories=("Cs",))
    pieces = [st.sampled_from(FRAGMENTS), characters, st.sampled_from(EDGE_TEXTS)]
    if special:
        strings = _special_strings(tokenizer)
        partial = [part for each in strings for part in parts_of(each)]
        pieces += [st.sampled_from(strings), st.sampled_from(partial)]
    joined: SearchStrategy[str] = st.lists(st.one_of(pieces), max_size=max_fragments).map("".join)
    return joined


def token_ids(tokenizer: Any, *, min_size: int = 1, max_size: int = 32) -> SearchStrategy[list[int]]:
    """Lists of ids of the vocabulary, in no order that `encode` would give: models emit such ids.

    Raises:
        ValueError: If the vocabulary is empty.
    """
    st = _strategies()
    ids = sorted(set(tokenizer.get_vocab().values()))
    if not ids:
        raise ValueError("the tokenizer's vocabulary is empty; expected at least one token to draw from")
    lists: SearchStrategy[list[int]] = st.lists(st.sampled_from(ids), min_size=min_size, max_size=max_size)
    return lists


def conversations(
    tokenizer: Any = None, *, max_turns: int = 5, system: bool | None = None, special: bool = True
) -> SearchStrategy[list[dict[str, str]]]:
    """Conversations of user and assistant in turn, as `{"role": …, "content": …}`, the last turn the user's.

    Args:
        tokenizer: As for `texts`.
        max_turns: Largest number of turns besides the system's, at least 1.
        system: Whether a system message comes first; None for either.
        special: As for `texts`.
    """
    st = _strategies()
    if max_turns < 1:
        msg = f"max_turns={max_turns!r}; expected at least 1"
        raise ValueError(msg)
    # A turn without any content is refused by some templates, and says nothing about the others.
    content = texts(tokenizer, max_fragments=4, special=special).filter(lambda text: bool(text.strip()))
    exchanges = (max_turns - 1) // 2
    first = {True: content, False: st.none(), None: st.none() | content}[system]
    built: SearchStrategy[list[dict[str, str]]] = st.builds(
        _alternating, st.lists(st.tuples(content, content), max_size=exchanges), content, first
    )
    return built


def _alternating(exchanges: list[tuple[str, str]], last: str, system: str | None) -> list[dict[str, str]]:
    turns = [{"role": "system", "content": system}] if system is not None else []
    for question, answer in exchanges:
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return [*turns, {"role": "user", "content": last}]


def _special_strings(tokenizer: Any) -> tuple[str, ...]:
    own = () if tokenizer is None else tuple(map(str, tokenizer.all_special_tokens))[:_SPECIAL_SHOWN]
    return tuple(dict.fromkeys((*own, *SPECIAL_STRINGS)))


def _strategies() -> Any:
    try:
        from hypothesis import strategies
    except ImportError as error:
        msg = "the strategies of pytest-llmval need Hypothesis: pip install hypothesis"
        raise ModuleNotFoundError(msg) from error
    return strategies
