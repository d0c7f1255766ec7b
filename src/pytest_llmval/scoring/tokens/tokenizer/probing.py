"""Probing a tokenizer: one question a capability, answered by what it does with a few telling texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tokens.capabilities import Probed
from pytest_llmval.scoring.tokens.code_points import shown
from pytest_llmval.scoring.tokens.contract import is_failure
from pytest_llmval.scoring.tokens.tokenizer.asking import (
    control_tokens,
    decode,
    encode,
    refuse_unusable,
    special_tokens,
    tokens_of,
)
from pytest_llmval.scoring.tokens.tokenizer.offsets import uncovered
from pytest_llmval.scoring.tokens.tokenizer.profile import TokenizerProfile

if TYPE_CHECKING:
    from collections.abc import Callable

PROBES = (
    "Hello, world!", "a b", "a  b", " a", "a ", "a\tb\nc", "É", "e\u0301", "\ufb01", "Ａ", "▁", "漢字", "🙂",
    "👩\u200d👩\u200d👧", "\ufeffa", "a\x00b", "\u0085", "\ufffd", "don't", "123 456", "☎\ufe0f",
)  # fmt: skip
LONE_SURROGATE = "a\ud83db"
_SPACE_MARKS = ("▁", "Ġ", " ")


def probe_tokenizer(tokenizer: Any) -> TokenizerProfile:
    """The capabilities of a tokenizer of transformers, each with an example that shows it.

    Args:
        tokenizer: Fast tokenizers answer all questions; one without offsets leaves `offsets_cover` None.

    Raises:
        TypeError: If it is no tokenizer of transformers.
        InvalidComparison: If its vocabulary is empty.
    """
    __tracebackhide__ = True
    refuse_unusable(tokenizer)
    answers = {name: question(tokenizer) for name, question in _QUESTIONS.items()}
    values: dict[str, Any] = {name: each.value for name, each in answers.items()}
    return TokenizerProfile(examples={name: each.example for name, each in answers.items()}, **values)


def round_trip(tokenizer: Any, text: str) -> str:
    """What is wrong with decoding the ids of a text; empty when the text comes back."""
    back = decode(tokenizer, encode(tokenizer, text))
    return "" if back == text else f"{text!r} becomes {back!r}"


def repeated(tokenizer: Any, text: str) -> str:
    """What is wrong with encoding the decoded text; empty when the ids are the same."""
    once = encode(tokenizer, text)
    again = encode(tokenizer, decode(tokenizer, once))
    return (
        ""
        if again == once
        else f"{text!r} gives {tokens_of(tokenizer, once)}, once decoded {tokens_of(tokenizer, again)}"
    )


def known(tokenizer: Any, text: str) -> str:
    """What is unknown in a text; empty when every part of it has a token."""
    ids = encode(tokenizer, text)
    unknown = tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids
    return f"{text!r} gives {tokens_of(tokenizer, ids)}" if unknown or (text.strip() and not ids) else ""


def of_ordinary(check: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    """The check, asked only of texts without a special string: that of unknown text, once typed, is unknown."""

    def ordinary(tokenizer: Any, text: str) -> str:
        return "" if any(token in text for token in special_tokens(tokenizer)) else check(tokenizer, text)

    return ordinary


def _all_hold(check: Callable[[Any, str], str]) -> Callable[[Any], Probed]:
    def question(tokenizer: Any) -> Probed:
        found = next(filter(None, (check(tokenizer, text) for text in PROBES)), "")
        return Probed(not found, found or f"all {len(PROBES)} probes")

    return question


def _offsets_cover(tokenizer: Any) -> Probed:
    return _all_hold(uncovered)(tokenizer) if tokenizer.is_fast else Probed(None, "")


def _alike(*pairs: tuple[str, str]) -> Callable[[Any], Probed]:
    """Whether the two texts of every pair are one to the tokenizer."""

    def question(tokenizer: Any) -> Probed:
        apart = [pair for pair in pairs if not _are_one(tokenizer, *pair)]
        one, other = (apart or pairs)[0]
        word = "are encoded differently" if apart else "are encoded alike"
        return Probed(not apart, f"{shown(one)} and {shown(other)} {word}")

    return question


def _are_one(tokenizer: Any, one: str, other: str) -> bool:
    """Equal once normalised; or of equal ids that are known, since everything unknown looks alike."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    normalizer = getattr(backend, "normalizer", None)
    if normalizer is not None and normalizer.normalize_str(one) == normalizer.normalize_str(other):
        return True
    ids = encode(tokenizer, one)
    return bool(ids) and tokenizer.unk_token_id not in ids and ids == encode(tokenizer, other)


def _collapses_spaces(tokenizer: Any) -> Probed:
    ids = encode(tokenizer, "a  b")
    return Probed(ids == encode(tokenizer, "a b"), f"'a  b' gives {tokens_of(tokenizer, ids)}")


def _adds_prefix_space(tokenizer: Any) -> Probed:
    first = [(text, tokens_of(tokenizer, encode(tokenizer, text))) for text in ("a", "Hello", "the")]
    marked = [(text, tokens) for text, tokens in first if tokens and str(tokens[0]).startswith(_SPACE_MARKS)]
    text, tokens = (marked or first)[0]
    return Probed(bool(marked), f"{text!r} gives {tokens}")


def _cleans_up_spaces(tokenizer: Any) -> Probed:
    back = [(mark, decode(tokenizer, encode(tokenizer, f"a {mark} b"))) for mark in ".,!?"]
    cleaned = [(mark, after) for mark, after in back if mark in after and f" {mark}" not in after]
    mark, after = (cleaned or back)[0]
    return Probed(bool(cleaned), f"{f'a {mark} b'!r} becomes {after!r}")


def added_around(tokenizer: Any, text: str = "a") -> tuple[list[int], list[int]]:
    """Ids that the tokenizer puts before and after the ids of a text."""
    plain, whole = encode(tokenizer, text), encode(tokenizer, text, special=True)
    starts = [at for at in range(len(whole) - len(plain) + 1) if whole[at : at + len(plain)] == plain]
    # No token of its own: the whole is the frame, and the first of it stands before.
    at = starts[0] if plain and starts else min(1, len(whole))
    return whole[:at], whole[at + len(plain) :]


def _adds_bos(tokenizer: Any) -> Probed:
    before, _ = added_around(tokenizer)
    return Probed(bool(before), f"before 'a' stand {tokens_of(tokenizer, before)}")


def _adds_eos(tokenizer: Any) -> Probed:
    _, after = added_around(tokenizer)
    return Probed(bool(after), f"after 'a' stand {tokens_of(tokenizer, after)}")


def _splits_special_tokens(tokenizer: Any) -> Probed:
    controls = control_tokens(tokenizer)
    if not controls:
        return Probed(None, "")
    text, number = next(iter(controls.items()))
    ids = encode(tokenizer, f"a{text}b")
    return Probed(number not in ids, f"'a{text}b' gives {tokens_of(tokenizer, ids)}")


def _refuses_surrogates(tokenizer: Any) -> Probed:
    try:
        ids = encode(tokenizer, LONE_SURROGATE)
    except BaseException as error:
        if not is_failure(error):
            raise
        return Probed(value=True, example=f"{LONE_SURROGATE!r} raises {type(error).__name__}")
    return Probed(value=False, example=f"{LONE_SURROGATE!r} gives {tokens_of(tokenizer, ids)}")


_QUESTIONS: dict[str, Callable[[Any], Probed]] = {
    "lossless": _all_hold(round_trip),
    "idempotent": _all_hold(repeated),
    "knows_all_text": _all_hold(known),
    "offsets_cover": _offsets_cover,
    "lowercases": _alike(("AB", "ab"), ("Ä", "ä")),
    "strips_accents": _alike(("é", "e"), ("ö", "o")),
    "composes": _alike(("e\u0301", "é"), ("o\u0308", "ö")),
    "folds_compatibility": _alike(("\ufb01", "fi"), ("Ａ", "A")),
    "collapses_spaces": _collapses_spaces,
    "adds_prefix_space": _adds_prefix_space,
    "cleans_up_spaces": _cleans_up_spaces,
    "adds_bos": _adds_bos,
    "adds_eos": _adds_eos,
    "splits_special_tokens": _splits_special_tokens,
    "refuses_surrogates": _refuses_surrogates,
    "special_tokens": lambda tokenizer: Probed(special_tokens(tokenizer), ""),
}
