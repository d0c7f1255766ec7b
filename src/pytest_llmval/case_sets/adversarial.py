"""Texts that break tokenizers and chat templates: the characters and strings that faults were found with."""

from __future__ import annotations

FRAGMENTS = (
    "a", "B", "é", "e\u0301", "a\u0323\u0307", "ß", "İ",
    " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u0085", "\u200b",
    "\ufb01", "Ａ", "①", "ﷺ", "½", "K",
    "🙂", "👩\u200d👩\u200d👧", "👍🏽", "🇩🇪", "☎\ufe0f", "\u200d",
    "漢字", "한국어", "각", "שָׁלוֹם", "नि", "\u202eabc",
    "\ufeff", "\x00", "\x1b[0m", "\x7f", "\ufffd", "\ue000", "\U0002f800", "\U0010ffff",
    "▁", "Ġ", "##", "<0x0A>", "'s", "’ll", "!!", "...", "3.14", "1234567890",
)  # fmt: skip
"""Combining marks, joined emoji, compatibility characters, byte order mark, NUL, markers of tokenizers themselves."""

SPECIAL_STRINGS = (
    "<s>", "</s>", "<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]",
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|eot_id|>",
    "[INST]", "[/INST]", "<start_of_turn>", "<end_of_turn>", "<think>", "</think>",
)  # fmt: skip
"""Control tokens of common models, as a user may type them."""

EDGE_TEXTS = (
    "", " ", "  ", "\n", "\t", "\n\n\n", " \n \n ", "a", " a", "a ", " a ", "a  b", "a\tb", "a\nb",
    "Hello, world!", "Hello , world !", "don't I'LL we've 'tis", "Ab aB AB",
    "x = [1, 2.5, -3e8]; y = {'k': None}  # note", "https://example.org/a?b=c&d=%20", "user@example.org",
    "aaaaaaaaaaaaaaaaaaaaaaaa", "                ", "!!!!!!!!!!!!!!!!", "0000000000000000", "ababababababab",
    "The quick brown fox jumps over the lazy dog.", "Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich.",
    "🙂🙂🙂", "a🙂b", "漢字かな交じり文", "e\u0301" * 5, "a" + "\u0301" * 12, "\ufeffHello", "a\x00b", "\u0085a\u0085",
)  # fmt: skip
"""Short whole texts: white space at every place, contractions, code, addresses, repetition, scripts."""


def parts_of(special: str) -> tuple[str, ...]:
    """A special string cut short, opened up and in other clothes, none of them the string itself.

    >>> parts_of("<s>")
    ('<s', 's>', '< s>', '＜s＞')
    """
    wide = special.replace("<", "＜").replace(">", "＞")
    variants = (special[:-1], special[1:], f"{special[:1]} {special[1:]}", wide, special.swapcase())
    return tuple(dict.fromkeys(each for each in variants if each and each != special))[:4]
