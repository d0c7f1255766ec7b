"""The built-in corpus: texts of eight kinds that tell tokenizers apart."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.adversarial import EDGE_TEXTS, FRAGMENTS, parts_of
from pytest_llmval.scoring.tokens.tokenizer.asking import special_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORDS = 400
_RANDOM = 60
_SPECIAL = 32
_PLANES = 0x30000
_SURROGATES = range(0xD800, 0xE000)
_APOSTROPHES = ("'", "’", "ʼ")
_ENDINGS = ("s", "S", "t", "re", "VE", "d", "ll", "m", "x", "")


def tokenizer_corpus(*tokenizers: Any, seed: int = 0) -> tuple[str, ...]:
    """Texts that tell tokenizers apart: the same for the same tokenizers and seed, each once.

    Eight kinds: edge cases, words of the vocabulary, printable ASCII with white space at either end, apostrophes,
    added tokens beside white space, random characters below U+30000, random characters of the vocabulary, and random
    words of it.

    Args:
        *tokenizers: Whose vocabularies and added tokens are used; none for what depends on no tokenizer.
        seed: Of the random texts.

    Source:
        Kinds after llama.cpp, `tests/test-tokenizer-random.py`; vocabularies above 400 words are sampled evenly.
    """
    draw = random.Random(seed)  # noqa: S311 - makes texts, not secrets
    words = [word for each in tokenizers for word in _words(each)]
    added = dict.fromkeys(token for each in tokenizers for token in list(special_tokens(each))[:_SPECIAL])
    kinds = [
        [*EDGE_TEXTS, *FRAGMENTS],
        words,
        _stripped_ascii(),
        _apostrophes(),
        [text for token in added for text in _beside_white_space(token)],
        _random_characters(draw),
        _joined(draw, sorted(set("".join(words))), longest=24),
        _joined(draw, words, longest=8),
    ]
    return tuple(dict.fromkeys(text for kind in kinds for text in kind))


def _words(tokenizer: Any) -> list[str]:
    ids = sorted(set(tokenizer.get_vocab().values()))
    step = max(1, len(ids) // _WORDS)
    return [str(tokenizer.decode([number])) for number in ids[::step][:_WORDS]]


def _stripped_ascii() -> list[str]:
    ends = (("", ""), (" ", ""), ("", " "), ("\n", " "))
    return [left + each + right for each in string.printable for left, right in ends]


def _apostrophes() -> list[str]:
    return [f"{start}{mark}{end}" for mark in _APOSTROPHES for end in _ENDINGS for start in ("we", " ")]


def _beside_white_space(token: str) -> list[str]:
    whole = [token, f" {token}", f"{token} ", f" {token} ", f"a{token}b", f"\n{token}\n", token * 2]
    return [*whole, *parts_of(token)]


def _random_characters(draw: random.Random) -> list[str]:
    allowed = [*range(_SURROGATES.start), *range(_SURROGATES.stop, _PLANES)]
    return ["".join(map(chr, draw.choices(allowed, k=draw.randint(1, 24)))) for _ in range(_RANDOM)]


def _joined(draw: random.Random, pieces: Sequence[str], *, longest: int) -> list[str]:
    if not pieces:
        return []
    return ["".join(draw.choices(pieces, k=draw.randint(1, longest))) for _ in range(_RANDOM)]
