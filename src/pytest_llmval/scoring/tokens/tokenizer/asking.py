"""Questions to a tokenizer of transformers: text to ids and back, without special tokens unless asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tokens.code_points import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def encode(tokenizer: Any, text: str, *, special: bool = False, split: bool | None = None) -> list[int]:
    """Token ids of a text.

    Args:
        tokenizer: Of transformers.
        text: What is encoded.
        special: Whether the tokenizer adds its BOS, EOS and the like.
        split: Whether special strings in the text are ordinary text; None for what the tokenizer does by itself.
    """
    options: dict[str, Any] = {} if split is None else {"split_special_tokens": split}
    # Not verbose: a text longer than the model's context is no fault of the tokenizer.
    return list(tokenizer(text, add_special_tokens=special, verbose=False, **options)["input_ids"])


def encode_batch(tokenizer: Any, texts: Sequence[str], *, special: bool = False) -> list[list[int]]:
    """Token ids of each text, asked for together."""
    if not texts:
        return []
    return [list(ids) for ids in tokenizer(list(texts), add_special_tokens=special, verbose=False)["input_ids"]]


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of token ids as the tokenizer gives it by itself, special tokens included."""
    return str(tokenizer.decode(list(ids)))


def tokens_of(tokenizer: Any, ids: Sequence[int]) -> list[str | None]:
    """The tokens of ids as the vocabulary spells them; None for an id that it lacks."""
    return [None if each is None else str(each) for each in tokenizer.convert_ids_to_tokens(list(ids))]


def special_tokens(tokenizer: Any) -> dict[str, int]:
    """Special tokens with their ids, in the order of the ids."""
    marked = {str(token.content): number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    named = dict(zip(map(str, tokenizer.all_special_tokens), tokenizer.all_special_ids, strict=True))
    # A token with a role that the vocabulary lacks has no id; the invariants of the vocabulary report it.
    found = {name: int(number) for name, number in {**named, **marked}.items() if number is not None}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def control_tokens(tokenizer: Any) -> dict[str, int]:
    """Special tokens that no ordinary text may give: all but the one for unknown text."""
    return {name: number for name, number in special_tokens(tokenizer).items() if number != tokenizer.unk_token_id}


def plain_added_tokens(tokenizer: Any) -> list[str]:
    """Special tokens that take nothing from the text beside them: no stripping, no whole words, not normalised."""
    return [
        str(token.content)
        for token in tokenizer.added_tokens_decoder.values()
        if token.special and not (token.lstrip or token.rstrip or token.single_word or token.normalized)
    ]


def texts_from(texts: Iterable[Any], name: str) -> tuple[str, ...]:
    """The texts, each of them encodable.

    Raises:
        TypeError: If one is no text.
        ValueError: If one holds half a surrogate pair.
        InvalidComparison: If none has a character.
    """
    __tracebackhide__ = True
    given = (texts,) if isinstance(texts, str) else tuple(texts)
    for at, text in enumerate(given):
        if not isinstance(text, str):
            msg = f"{name}[{at}]={text!r}; expected a text"
            raise TypeError(msg)
        if any("\ud800" <= each <= "\udfff" for each in text):
            msg = (
                f"{name}[{at}] {shown(text)} holds half a surrogate pair, which is no text; repair it where it is read"
            )
            raise ValueError(msg)
    if not any(given):
        msg = f"{name} holds no text, so nothing was compared; expected at least one that is not empty"
        raise InvalidComparison(msg)
    return given


def refuse_unusable(tokenizer: Any) -> None:
    """Say what is wrong with something that cannot be asked.

    Raises:
        TypeError: If it is no tokenizer of transformers.
        InvalidComparison: If its vocabulary is empty.
    """
    __tracebackhide__ = True
    if not (callable(tokenizer) and hasattr(tokenizer, "get_vocab") and hasattr(tokenizer, "decode")):
        hint = "; wrap it: PreTrainedTokenizerFast(tokenizer_object=…)" if hasattr(tokenizer, "get_vocab") else ""
        msg = f"{type(tokenizer).__name__!r} object; expected a tokenizer of transformers{hint}"
        raise TypeError(msg)
    if not len(tokenizer):
        msg = "the tokenizer's vocabulary is empty, so nothing can be checked; expected at least one token"
        raise InvalidComparison(msg)
