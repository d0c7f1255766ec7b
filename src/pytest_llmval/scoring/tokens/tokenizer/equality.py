"""Two tokenizers: the same vocabulary, and the same ids for every text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.tokens.code_points import code_points, shown
from pytest_llmval.scoring.tokens.contract import minimal
from pytest_llmval.scoring.tokens.tokenizer.asking import (
    decode,
    encode,
    encode_batch,
    refuse_unusable,
    special_tokens,
    texts_from,
    tokens_of,
)
from pytest_llmval.scoring.tokens.tokenizer.corpus import tokenizer_corpus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_BEFORE, _AFTER = 2, 5
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One text that two tokenizers treat differently."""

    text: str
    position: int
    """First token that differs."""
    baseline: tuple[str, ...]
    """Tokens from 2 before it to 5 after it, with their ids."""
    candidate: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{shown(self.text)} differs from token {self.position} on\n"
            f"    baseline  {' '.join(self.baseline) or 'no tokens'}\n"
            f"    candidate {' '.join(self.candidate) or 'no tokens'}"
        )


@dataclass(frozen=True, slots=True)
class TokenizerComparison:
    """What differs between two tokenizers; as text, the message of a failed assertion."""

    texts: int
    """Texts compared."""
    differing: int
    """Texts with other ids."""
    first: Mismatch | None
    decoded: tuple[str, ...]
    """Texts of the same ids that decode differently."""
    vocabulary: tuple[str, ...]
    """Tokens lost, new and moved, and special tokens with another role."""

    @property
    def passed(self) -> bool:
        """Whether nothing differs."""
        return not (self.differing or self.vocabulary or self.decoded)

    def __str__(self) -> str:
        if self.passed:
            return f"tokenizers agree on {self.texts} texts"
        head = f"tokenizers differ: {self.differing} of {self.texts} texts have other ids (baseline -> candidate)"
        first = [f"first {self.first}"] if self.first else []
        lines = [*self.vocabulary, *first, *self.decoded[:_SHOWN]]
        return "\n".join([head, *(f"  {line}" for line in lines)])


def compare_tokenizers(
    candidate: Any, baseline: Any, corpus: Iterable[str] | None = None, *, vocab: bool = True
) -> TokenizerComparison:
    """Every difference between two tokenizers; see `assert_tokenizers_equal`."""
    __tracebackhide__ = True
    for tokenizer in (candidate, baseline):
        refuse_unusable(tokenizer)
    texts = tokenizer_corpus(candidate, baseline) if corpus is None else texts_from(corpus, "corpus")
    ours, theirs = (encode_batch(each, texts, special=True) for each in (candidate, baseline))
    differing = [text for text, one, other in zip(texts, ours, theirs, strict=True) if one != other]
    decoded = [
        f"ids of {shown(text)} decode to {decode(baseline, other)!r} -> {decode(candidate, one)!r}"
        for text, one, other in zip(texts, ours, theirs, strict=True)
        if one == other and decode(candidate, one) != decode(baseline, other)
    ]
    return TokenizerComparison(
        texts=len(texts),
        differing=len(differing),
        first=_mismatch(candidate, baseline, differing[0]) if differing else None,
        decoded=tuple(decoded),
        vocabulary=tuple(_vocabulary(candidate, baseline)) if vocab else (),
    )


def assert_tokenizers_equal(
    candidate: Any, baseline: Any, corpus: Iterable[str] | None = None, *, vocab: bool = True
) -> TokenizerComparison:
    """Two tokenizers give the same ids for every text, and the same text for these ids.

    Args:
        candidate: Tokenizer under test.
        baseline: Tokenizer it is compared with.
        corpus: Texts; by default `tokenizer_corpus(candidate, baseline)`.
        vocab: Whether vocabularies, special tokens and their roles must be equal as well.

    Raises:
        ModelRegression: If they differ; the message has the shortest text found for the first mismatch, its code
            points, and the tokens about it.
        InvalidComparison: If a vocabulary is empty, or the corpus holds no text.
        ValueError: If a text of the corpus holds half a surrogate pair.
    """
    __tracebackhide__ = True
    found = compare_tokenizers(candidate, baseline, corpus, vocab=vocab)
    if not found.passed:
        raise ModelRegression(str(found))
    return found


def first_difference(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Length of the common start of two texts or lists of ids."""
    pairs = zip(one, other, strict=False)
    return next((at for at, pair in enumerate(pairs) if pair[0] != pair[1]), min(len(one), len(other)))


def window(tokenizer: Any, ids: Sequence[int], at: int) -> tuple[str, ...]:
    """Ids and tokens about a place."""
    part = ids[max(0, at - _BEFORE) : at + _AFTER]
    return tuple(f"{number} {token!r}" for number, token in zip(part, tokens_of(tokenizer, part), strict=True))


def _mismatch(candidate: Any, baseline: Any, text: str) -> Mismatch:
    def differs(each: str) -> bool:
        return encode(candidate, each, special=True) != encode(baseline, each, special=True)

    text = minimal(text, differs)
    ours, theirs = encode(candidate, text, special=True), encode(baseline, text, special=True)
    at = first_difference(ours, theirs)
    return Mismatch(text, at, window(baseline, theirs, at), window(candidate, ours, at))


def _vocabulary(candidate: Any, baseline: Any) -> list[str]:
    lines = _changes("vocabulary", candidate.get_vocab(), baseline.get_vocab())
    lines += _changes("special tokens", special_tokens(candidate), special_tokens(baseline))
    for role in dict.fromkeys((*baseline.special_tokens_map, *candidate.special_tokens_map)):
        ours, theirs = (each.special_tokens_map.get(role) for each in (candidate, baseline))
        if ours != theirs:
            lines.append(f"{role} {theirs!r} -> {ours!r}")
    for setting in ("padding_side", "truncation_side"):
        ours, theirs = getattr(candidate, setting), getattr(baseline, setting)
        if ours != theirs:
            lines.append(f"{setting} {theirs!r} -> {ours!r}")
    return lines


def _changes(what: str, ours: Mapping[str, int], theirs: Mapping[str, int]) -> list[str]:
    lost = {name: f"id {theirs[name]}" for name in theirs if name not in ours}
    new = {name: f"id {ours[name]}" for name in ours if name not in theirs}
    moved = {
        name: f"id {theirs[name]} -> {ours[name]}" for name in theirs if ours.get(name, theirs[name]) != theirs[name]
    }
    kinds = {"lost": lost, "new": new, "with another id": moved}
    both = {**ours, **theirs}
    return [
        f"{what}: {len(names)} {kind}, such as {_named(sorted(names, key=both.__getitem__)[:_SHOWN], names)}"
        for kind, names in kinds.items()
        if names
    ]


def _named(names: list[str], words: Mapping[str, str]) -> str:
    return ", ".join(f"{name!r} ({words[name]}; {code_points(name, 4)})" for name in names)
