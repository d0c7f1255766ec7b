"""Profile of a tokenizer: what a sound one may or may not do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.scoring.tokens.capabilities import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class TokenizerProfile(Profile):
    """Capabilities of a tokenizer, each probed on a few telling texts; None where the question does not arise.

    Freeze `as_json()` in a golden; `profile_from_json` reads it, and `assert_tokenizer_contract(profile=…)` then
    names the capability that flips.
    """

    lossless: bool | None = None
    """Decoding gives back the text that was encoded."""
    idempotent: bool | None = None
    """Encoding the decoded text gives the same ids again."""
    knows_all_text: bool | None = None
    """No character is unknown or dropped."""
    offsets_cover: bool | None = None
    """The offsets of the tokens cover every character that is no white space; None without offsets."""
    lowercases: bool | None = None
    """Upper and lower case give the same ids."""
    strips_accents: bool | None = None
    """A letter with an accent gives the same ids as without."""
    composes: bool | None = None
    """A letter with a combining accent gives the same ids as the composed letter, as after NFC."""
    folds_compatibility: bool | None = None
    """Ligatures and full-width letters give the same ids as plain ones, as after NFKC."""
    collapses_spaces: bool | None = None
    """Two spaces give the same ids as one."""
    adds_prefix_space: bool | None = None
    """The first word is encoded as if a space stood before it."""
    cleans_up_spaces: bool | None = None
    """Decoding removes the space before punctuation."""
    adds_bos: bool | None = None
    """A beginning-of-sequence token, or what takes its place, is put before a text."""
    adds_eos: bool | None = None
    """An end-of-sequence token, or what takes its place, is put after a text."""
    splits_special_tokens: bool | None = None
    """A special string in a text is ordinary text; None without special tokens."""
    refuses_surrogates: bool | None = None
    """Half a surrogate pair, which is no text, is refused with an error rather than replaced."""
    special_tokens: Mapping[str, int] | None = None
    """Special tokens and their ids."""
