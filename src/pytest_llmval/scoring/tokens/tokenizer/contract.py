"""The contract of a tokenizer: what always holds, and what this one has shown to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pytest_llmval.scoring.contract import concluded
from pytest_llmval.scoring.tokens.capabilities import flips_of, profile_from_json
from pytest_llmval.scoring.tokens.contract import (
    ContractReport,
    Violation,
    is_failure,
    minimal,
    problem_of,
)
from pytest_llmval.scoring.tokens.tokenizer import lengths, long_texts, offsets, probing, streaming, texts, vocabulary
from pytest_llmval.scoring.tokens.tokenizer.asking import encode, refuse_unusable, texts_from, tokens_of
from pytest_llmval.scoring.tokens.tokenizer.corpus import tokenizer_corpus
from pytest_llmval.scoring.tokens.tokenizer.profile import TokenizerProfile

Frozen = TokenizerProfile | Mapping[str, Any]
"""A profile, or what its `as_json` wrote."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """One claim about every text."""

    name: str
    problem: Callable[[Any, str], str]
    """What is wrong with a text; empty when nothing is."""
    applies: Callable[[Any, TokenizerProfile], bool] = lambda _tokenizer, _profile: True
    """Whether the claim is made of this tokenizer at all."""


_OF_TEXTS = (
    Invariant("ids are in the vocabulary", texts.out_of_range),
    Invariant("encoding is deterministic", texts.changing),
    Invariant("a batch gives the ids of its single texts", texts.uneven_batch),
    Invariant(
        "offsets lie in the text and do not go back", offsets.misplaced, lambda tokenizer, _: bool(tokenizer.is_fast)
    ),
    Invariant(
        "incremental decoding equals full decoding",
        streaming.streamed_apart,
        lambda tokenizer, _: bool(tokenizer.is_fast),
    ),
    Invariant("decoded text only grows", streaming.rewritten, lambda _, profile: not profile.cleans_up_spaces),
    Invariant("a special token parts the text", texts.leaking_special),
    Invariant("truncation keeps the asked number of ids", lengths.wrong_truncation),
    Invariant(
        "overflowing windows cover the text", lengths.wrong_overflow, lambda tokenizer, _: bool(tokenizer.is_fast)
    ),
    Invariant(
        "padding and mask are as asked", lengths.wrong_padding, lambda tokenizer, _: tokenizer.pad_token_id is not None
    ),
    Invariant(
        "lossless, as probed: text comes back",
        probing.of_ordinary(probing.round_trip),
        lambda _, profile: bool(profile.lossless),
    ),
    Invariant(
        "idempotent, as probed: decoded text has the same ids",
        probing.of_ordinary(probing.repeated),
        lambda _, profile: bool(profile.idempotent),
    ),
    Invariant(
        "knows all text, as probed",
        probing.of_ordinary(probing.known),
        lambda _, profile: bool(profile.knows_all_text),
    ),
    Invariant("offsets cover all text, as probed", offsets.uncovered, lambda _, profile: bool(profile.offsets_cover)),
)


def check_tokenizer(
    tokenizer: Any,
    *,
    profile: Literal["auto"] | Frozen = "auto",
    examples: Iterable[str] | None = None,
    baseline: Any = None,
    long_text: int = 1_000_000,
) -> ContractReport[TokenizerProfile]:
    """Every invariant that is broken and every capability that flipped; see `assert_tokenizer_contract`."""
    __tracebackhide__ = True
    refuse_unusable(tokenizer)
    long_texts.refuse_length(long_text)
    frozen = [_profile(each) for each in (None if profile == "auto" else profile, baseline) if each is not None]
    tried = tokenizer_corpus(tokenizer) if examples is None else texts_from(examples, "examples")
    found = probing.probe_tokenizer(tokenizer)
    asked = [each for each in _OF_TEXTS if each.applies(tokenizer, found)]
    wholes = [*_of_vocabulary(found), *_of_robustness(long_text)]
    violations = [_broken(each, tokenizer, tried) for each in asked] + [_flawed(each, tokenizer) for each in wholes]
    encode(tokenizer, "")  # truncation and padding set by the checks are switched off again
    return ContractReport(
        "tokenizer",
        found,
        checked=(*(each.name for each in asked), *(name for name, _ in wholes)),
        violations=tuple(filter(None, violations)),
        flips=tuple(flip for each in frozen for flip in flips_of(found, each)),
        examples=len(tried),
    )


def assert_tokenizer_contract(
    tokenizer: Any,
    *,
    profile: Literal["auto"] | Frozen = "auto",
    examples: Iterable[str] | None = None,
    baseline: Any = None,
    long_text: int = 1_000_000,
) -> ContractReport[TokenizerProfile]:
    """A tokenizer keeps what every tokenizer must, and what it has shown or was known to do.

    Always: ids in the vocabulary, determinism, batches, ids and tokens that lead to each other, offsets, streamed
    decoding, special tokens that part the text, truncation, overflow and padding, at most one BOS, half surrogate
    pairs, and long texts in a time that grows with their length. Only where probed: lossless, idempotent, knows all
    text, offsets that cover it, single tokens that come back. Never: that ids of two texts join to those of the whole,
    or that arbitrary ids come back once decoded; no tokenizer does that.

    Args:
        tokenizer: Of transformers.
        profile: `auto`, or the profile frozen in a golden; each capability that differs from it fails.
        examples: Texts to try; by default `tokenizer_corpus(tokenizer)`, about a thousand.
        baseline: Tokenizer or profile of the version it is compared with; each capability that flipped fails.
        long_text: Characters of the longest text; at least 16384.

    Raises:
        ModelRegression: If an invariant is broken or a capability flipped; all of them are named, each with the
            shortest example found and its code points.
        InvalidComparison: If the vocabulary is empty, or examples hold no text.
        ValueError: If an example holds half a surrogate pair, a frozen profile names an unknown capability, or
            `long_text` is too short.
        TypeError: If it is no tokenizer of transformers.
    """
    __tracebackhide__ = True
    return concluded(
        check_tokenizer(tokenizer, profile=profile, examples=examples, baseline=baseline, long_text=long_text)
    )


def _profile(given: Any) -> TokenizerProfile:
    if isinstance(given, TokenizerProfile):
        return given
    if isinstance(given, Mapping) and not callable(given):
        return profile_from_json(TokenizerProfile, given)
    if isinstance(given, str):
        msg = f"profile={given!r}; expected 'auto', a TokenizerProfile or what its as_json() wrote"
        raise ValueError(msg)  # noqa: TRY004 - a wrong word, where another would have been right
    return probing.probe_tokenizer(given)


def _broken(invariant: Invariant, tokenizer: Any, tried: tuple[str, ...]) -> Violation | None:
    def check(text: str) -> str:
        return problem_of(lambda each: invariant.problem(tokenizer, each), text)

    first = next((text for text in tried if check(text)), None)
    if first is None:
        return None
    smallest = minimal(first, lambda text: bool(check(text)))
    # What comes and goes, such as a random answer, may be gone on the last look.
    return Violation(invariant.name, check(smallest) or "comes and goes", smallest)


Whole = tuple[str, Callable[[Any], Violation | None]]
"""One claim about the tokenizer as a whole, by name."""


def _flawed(whole: Whole, tokenizer: Any) -> Violation | None:
    name, check = whole
    try:
        return check(tokenizer)
    except BaseException as error:
        if not is_failure(error):
            raise
        return Violation(name, f"raises {type(error).__name__}: {error}")


def _of_vocabulary(profile: TokenizerProfile) -> Iterator[Whole]:
    yield "ids and tokens lead to each other", vocabulary.broken_bijection
    yield "special tokens are in the vocabulary", vocabulary.lost_special_token
    yield "every token decodes by itself", vocabulary.undecodable_token
    if profile.lossless:
        yield "the text of every single token comes back", vocabulary.changed_single_token


def _of_robustness(long_text: int) -> Iterator[Whole]:
    yield "at most one BOS and one EOS are added", _doubled_frame
    yield "half a surrogate pair is refused or replaced", _broken_surrogate
    yield "time grows with the length of the text", lambda tokenizer: long_texts.slow_growth(tokenizer, long_text)


def _doubled_frame(tokenizer: Any) -> Violation | None:
    for side, ids in zip(("before", "after"), probing.added_around(tokenizer), strict=True):
        if len(set(ids)) < len(ids):
            problem = f"{side} a text stand {tokens_of(tokenizer, ids)}"
            return Violation("at most one BOS and one EOS are added", problem)
    return None


def _broken_surrogate(tokenizer: Any) -> Violation | None:
    """Half a pair crashes the process, gives ids that do not exist, or disturbs the text after it."""
    name, text = "half a surrogate pair is refused or replaced", probing.LONE_SURROGATE
    before = encode(tokenizer, "a")
    try:
        problem = texts.out_of_range(tokenizer, text)
    except BaseException as error:
        if not is_failure(error):
            raise
        problem = "" if isinstance(error, Exception) else f"{type(error).__name__}, which `except Exception` misses"
    if not problem and encode(tokenizer, "a") != before:
        problem = "the next text is encoded differently"
    return Violation(name, problem, text) if problem else None
