"""Faults planted in the example model's tokenizer: the contract names each of them."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import pytest

from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.tokens.tokenizer.contract import assert_tokenizer_contract, check_tokenizer

SHORT = 16_384
FEW = ["Hello there, Quincy", "a b", "e\u0301🙂", "two  spaces and more words of text"]


class PanicException(BaseException):
    """What a panic on the Rust side looks like: no `Exception`."""


class Proxy:
    """A tokenizer that passes everything on but what is planted: a change of the answer, or other attributes."""

    def __init__(self, tokenizer: Any, change: Any = None, **planted: Any) -> None:
        self.tokenizer, self.change, self.planted = tokenizer, change, planted

    def __getattr__(self, name: str) -> Any:
        return self.planted[name] if name in self.planted else getattr(self.tokenizer, name)

    def __len__(self) -> int:
        return len(self.tokenizer)

    def __call__(self, text, **options):
        """Encode, then plant."""
        refuse = self.planted.get("refuse", lambda _: None)
        refuse(text)
        encoded = self.tokenizer(text, **options)
        if self.change:
            self.change(text, encoded, options)
        return encoded


def of_single(change):
    """The change of ids for single texts only."""

    def changed(text, encoded, options):
        if isinstance(text, str):
            change(text, encoded["input_ids"], options)

    return changed


def of_offsets(change):
    """The change of offsets, where they were asked for."""

    def changed(text, encoded, options):
        if "offset_mapping" in encoded:
            encoded["offset_mapping"][:] = change(text, list(encoded["offset_mapping"]))

    return changed


def out_of_range(tokenizer):
    """An id beyond the vocabulary for one letter."""

    def change(text, ids, options):
        if "Q" in text:
            ids[-1] = 99_999

    return Proxy(tokenizer, of_single(change))


def random(tokenizer):
    """Another id every other time."""
    calls = count()

    def change(text, ids, options):
        if ids and "Q" in text:
            ids[0] = 70 + next(calls) % 2

    return Proxy(tokenizer, of_single(change))


def uneven_batch(tokenizer):
    """Neighbours that matter."""

    def change(text, encoded, options):
        if not isinstance(text, str):
            for ids in encoded["input_ids"]:
                ids.append(70)

    return Proxy(tokenizer, change)


def offsets_outside(tokenizer):
    """Offsets in bytes rather than characters."""

    def change(text, spans):
        return [(len(text[:start].encode()), len(text[:end].encode())) for start, end in spans]

    return Proxy(tokenizer, of_offsets(change))


def offsets_back(tokenizer):
    """The last token is said to come first."""
    return Proxy(tokenizer, of_offsets(lambda _, spans: spans[::-1]))


def offsets_empty(tokenizer):
    """One letter comes from no token."""

    def change(text, spans):
        return [(end, end) if "Q" in text[start:end] else (start, end) for start, end in spans]

    return Proxy(tokenizer, of_offsets(change))


def leaking_special(tokenizer):
    """What follows a special token loses its last id."""

    def change(text, ids, options):
        if "<s>" in text[1:]:
            del ids[-1]

    return Proxy(tokenizer, of_single(change))


def no_truncation(tokenizer):
    """`max_length` is forgotten."""

    def change(text, ids, options):
        if options.get("truncation") and not options.get("return_overflowing_tokens"):
            ids[:] = tokenizer(text, add_special_tokens=options.get("add_special_tokens", True))["input_ids"]

    return Proxy(tokenizer, of_single(change))


def lost_window(tokenizer):
    """The last window of an overflow is left out."""

    def change(text, ids, options):
        if options.get("return_overflowing_tokens"):
            del ids[-1]

    return Proxy(tokenizer, of_single(change))


def masked_padding(tokenizer):
    """The mask says that padding is text."""

    def change(text, encoded, options):
        if options.get("padding"):
            encoded["attention_mask"] = [1] * len(encoded["input_ids"])

    return Proxy(tokenizer, change)


def lost_start(tokenizer):
    """A special token at the start of a text is another one."""

    def change(text, ids, options):
        if text.startswith("<pad>"):
            ids[0] = 70

    return Proxy(tokenizer, of_single(change))


def one_too_long(tokenizer):
    """The special tokens are not counted when a text is cut."""

    def change(text, ids, options):
        if options.get("truncation") and options.get("add_special_tokens", True):
            ids.append(70)

    return Proxy(tokenizer, of_single(change))


def disturbed_by_surrogates(tokenizer):
    """The text after half a surrogate pair has another id."""
    state = {"disturbed": False}

    def refuse(text):
        if "\ud83d" in text:
            state["disturbed"] = True
            raise ValueError("no text")

    def change(text, ids, options):
        if ids and state["disturbed"]:
            ids[0], state["disturbed"] = 99, False

    return Proxy(tokenizer, of_single(change), refuse=refuse)


def decoding(change):
    """A tokenizer whose decoded text is changed."""

    def make(tokenizer):
        return Proxy(tokenizer, decode=lambda ids, **options: change(list(ids), tokenizer.decode(ids, **options)))

    return make


def refusing(part, error):
    """A tokenizer that raises for texts with this part."""

    def refuse(text):
        if part in text:
            raise error

    return lambda tokenizer: Proxy(tokenizer, refuse=refuse)


def quadratic(tokenizer):
    """Time grows with the square of the length: 16 ms for 4096 characters, 250 ms for 16384."""

    def change(text, encoded, options):
        end = time.process_time() + (len(text) / 32_768) ** 2 if isinstance(text, str) else 0
        while time.process_time() < end:
            pass

    return Proxy(tokenizer, change)


def having(name, plant):
    """A tokenizer with another attribute, made from the original one."""
    return lambda tokenizer: Proxy(tokenizer, **{name: plant(getattr(tokenizer, name))})


shared_id = having("get_vocab", lambda original: lambda: {**original(), "extra": 70})
swapped_names = having(
    "convert_ids_to_tokens", lambda original: lambda ids: original([{70: 71, 71: 70}.get(each, each) for each in ids])
)
lost_role = having("special_tokens_map", lambda original: {**original, "eos_token": "<|gone|>"})
wrong_side = having("padding_side", lambda _: "left")
wrong_frame_count = having("num_special_tokens_to_add", lambda _: lambda: 2)
lossy = decoding(lambda _, text: text.replace("Q", "q"))

FAULTS = [
    (out_of_range, "ids are in the vocabulary: ids [99999] are not in the vocabulary of 1536 tokens", "Q"),
    (random, "encoding is deterministic: ", "Q"),
    (uneven_batch, "a batch gives the ids of its single texts: alone", None),
    (offsets_outside, "offsets lie in the text and do not go back: token ", None),
    (offsets_back, "offsets lie in the text and do not go back: token 1 starts at 0, the token before it at ", None),
    (offsets_empty, "offsets cover all text, as probed: no token covers 'Q' of 'Q'", "Q"),
    (leaking_special, "a special token parts the text: ", None),
    (no_truncation, "truncation keeps the asked number of ids: max_length=1, cut on the right: expected [", None),
    (wrong_frame_count, "num_special_tokens_to_add() is 2, but 1 are added", None),
    (swapped_names, "ids and tokens lead to each other: token 'a' has id 70, which is the token 'b'", None),
    (lost_start, "a special token parts the text: '<pad>", None),
    (one_too_long, "truncation keeps the asked number of ids: max_length=2 gives 2 ids, expected 1", None),
    (disturbed_by_surrogates, "half a surrogate pair is refused or replaced: the next text is encoded differ", None),
    (lost_window, "overflowing windows cover the text: windows of ", None),
    (masked_padding, "padding and mask are as asked: attention_mask [1, ", None),
    (wrong_side, "padding and mask are as asked: padded to 4 on the left: actual [", None),
    (shared_id, "ids and tokens lead to each other: id 70 is shared by several tokens", None),
    (lost_role, "special tokens are in the vocabulary: eos_token '<|gone|>' is not in the vocabulary", None),
    (decoding(lambda _, text: text.replace(" order", " order ")), "the text of every single token comes back: ", None),
    (decoding(lambda ids, text: None if ids == [300] else text), "every token decodes by itself: id 300 (", None),
    (lossy, "lossless, as probed: text comes back: 'Q' becomes 'q'", "Q"),
    (
        refusing("Q", RuntimeError("no such piece")),
        "ids are in the vocabulary: raises RuntimeError: no such piece",
        "Q",
    ),
    (
        refusing("\ud83d", PanicException("not a char boundary")),
        "half a surrogate pair is refused or replaced: PanicException, which `except Exception` misses",
        None,
    ),
    (quadratic, "time grows with the length of the text: 'x' repeated to ", None),
]


@pytest.mark.parametrize(("fault", "words", "smallest"), FAULTS)
def test_each_planted_fault_is_named(v1, fault, words, smallest):
    """With the shortest text that shows it, where it depends on one."""
    with pytest.raises(ModelRegression) as raised:
        assert_tokenizer_contract(fault(v1), examples=FEW, long_text=SHORT)

    text = str(raised.value)
    assert text.startswith("tokenizer: ")
    assert words in text
    if smallest:
        assert f"    example {smallest!r} (U+{ord(smallest):04X})" in text


def test_the_proxy_without_a_fault_passes(v1):
    """The faults are what is found, not the proxy."""
    assert assert_tokenizer_contract(Proxy(v1), examples=FEW, long_text=SHORT).passed


def test_a_tokenizer_that_replaces_half_surrogate_pairs(v1):
    """As sound as one that refuses them, and another capability."""

    class Repairing(Proxy):
        """With a question mark."""

        def __call__(self, text, **options):
            """Encode what can be."""
            text = text.encode("utf-8", "replace").decode() if isinstance(text, str) else text
            return super().__call__(text, **options)

    report = assert_tokenizer_contract(Repairing(v1), examples=FEW, long_text=SHORT)

    assert report.profile.refuses_surrogates is False
    with pytest.raises(ModelRegression, match="refuses_surrogates: yes -> no"):
        assert_tokenizer_contract(Repairing(v1), baseline=v1, examples=FEW, long_text=SHORT)


def test_every_violation_is_in_one_message(v1):
    """The first does not hide the second."""
    text = str(check_tokenizer(shared_id(offsets_back(v1)), examples=FEW, long_text=SHORT))

    assert text.splitlines()[0] == "tokenizer: 2 of 21 invariants broken"
    assert "offsets lie in the text" in text
    assert "ids and tokens lead to each other" in text


def test_a_request_to_stop_is_no_fault(v1):
    """Ctrl-C reaches pytest."""
    with pytest.raises(KeyboardInterrupt):
        assert_tokenizer_contract(refusing("Q", KeyboardInterrupt())(v1), examples=FEW, long_text=SHORT)


def test_a_long_example_is_cut_in_the_message(v1):
    """A message is read by a person."""
    text = str(check_tokenizer(lossy(v1), examples=["Q" * 50_000], long_text=SHORT))

    assert "lossless, as probed" in text
    assert len(text) < 2000
