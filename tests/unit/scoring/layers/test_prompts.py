"""Prompts come in every usual form; what is none of them is refused, and the message says what would be right."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.layers.compare import compare_layers


class Tokenizer:
    """Words to ids, as a tokenizer of transformers is called."""

    def __init__(self, **ids: int) -> None:
        self._ids = ids

    def __call__(self, text: str) -> dict[str, list[int]]:
        """The ids of a text."""
        return {"input_ids": [self._ids.get(word, len(word)) for word in text.split()]}


@pytest.mark.parametrize(
    "prompts", [[], (), [[]], [[1], []], np.zeros((0, 3), int), {"input_ids": [[1]], "attention_mask": [[0]]}, iter([])]
)
def test_no_prompt_or_no_token(tiny, prompts):
    """Nothing compared is nothing shown."""
    with pytest.raises(ValueError, match=r"^prompts=.*: expected at least one prompt, and a token in each$"):
        compare_layers(tiny(), tiny(), prompts)


@pytest.mark.parametrize(
    "prompts",
    [
        ["a", [1]],
        [[1], "a"],
        [[1.5, 2.0]],
        [[True, False]],
        [[[1, 2], [3, 4]]],
        np.ones((2, 2, 2), int),
        None,
        5,
        [None],
    ],
)
def test_prompts_that_are_neither_texts_nor_ids(tiny, prompts):
    """Mixed, fractions, flags, too many axes, nothing, a number."""
    with pytest.raises(TypeError, match=r"(?s)^prompts: .*; expected texts, or token ids of each prompt as whole"):
        compare_layers(tiny(), tiny(), prompts)


@pytest.mark.parametrize("token", [512, -1])
def test_an_id_outside_the_vocabulary(tiny, token):
    """Of another model's tokenizer."""
    message = f"prompts: token id {token} is outside the vocabulary of 512; do tokenizer and model belong together?"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        compare_layers(tiny(), tiny(), [[1, token]])


@pytest.mark.parametrize("prompts", ["hello", ["hello", "world"]])
def test_texts_without_a_tokenizer(tiny, prompts):
    """One text or several."""
    with pytest.raises(
        ValueError, match=r"^prompts are texts; expected tokenizer=\.\.\., for example the fixture tokenizer"
    ):
        compare_layers(tiny(), tiny(), prompts)


def test_a_mapping_without_ids(tiny):
    """The keys that it has are named."""
    with pytest.raises(
        ValueError, match=r"^prompts: a mapping with 'ids', 'mask'; expected 'input_ids' among its keys$"
    ):
        compare_layers(tiny(), tiny(), {"ids": [[1]], "mask": [[1]]})


def test_a_mask_that_does_not_fit_the_ids(tiny):
    """One number for each id."""
    with pytest.raises(ValueError, match="expected one number for each of the input_ids"):
        compare_layers(tiny(), tiny(), {"input_ids": [[1, 2]], "attention_mask": [[1, 1, 1]]})


def test_tokenizers_that_disagree(tiny):
    """Before any model runs, with the place and the ids."""
    ours, theirs = Tokenizer(cat=7), Tokenizer(cat=8)

    with pytest.raises(InvalidComparison) as raised:
        compare_layers(tiny(), tiny(), ["a dog", "the cat sat"], tokenizer=ours, reference_tokenizer=theirs)

    assert str(raised.value) == (
        "the tokenizers disagree about 'the cat sat': at token 1, [8, 3] -> [7, 3] (3 -> 3 tokens); layers can only be "
        "compared on equal token ids, which may also be given as prompts"
    )


def test_tokenizers_of_which_one_stops_earlier(tiny):
    """No zip hides what is longer."""

    def longer(text):
        return {"input_ids": [*Tokenizer()(text)["input_ids"], 0]}

    with pytest.raises(InvalidComparison, match=r"at token 2, \[0\] -> \[\] \(3 -> 2 tokens\)"):
        compare_layers(tiny(), tiny(), ["a dog"], tokenizer=Tokenizer(), reference_tokenizer=longer)


def test_texts_with_tokenizers_that_agree(tiny):
    """The usual case."""
    report = compare_layers(
        tiny(), tiny(), ["a dog", "the cat sat"], tokenizer=Tokenizer(), reference_tokenizer=Tokenizer()
    )

    assert report.passed
    assert (report.prompts, report.positions) == (2, 5)


@pytest.mark.parametrize(
    "prompts",
    [
        [[1, 2], [3]],
        [torch.tensor([1, 2]), torch.tensor([[3]])],
        {"input_ids": torch.tensor([[1, 2], [0, 3]]), "attention_mask": torch.tensor([[1, 1], [0, 1]])},
        {"input_ids": [[1, 2], [3, 0]], "attention_mask": [[1, 1], [1, 0]]},
        {"input_ids": [[1, 2], [3]], "attention_mask": [[1, 1], [1]]},
        ([number, number + 1][: 2 - at] for at, number in enumerate([1, 3])),
    ],
    ids=["lists", "tensors", "padded left", "padded right", "unpadded", "iterator"],
)
def test_every_usual_form_of_token_ids(tiny, prompts):
    """Two prompts of two tokens and of one, however they come."""
    report = compare_layers(tiny(), tiny(), prompts)

    assert (report.prompts, report.positions) == (2, 3)
    assert report.passed


@pytest.mark.parametrize("prompts", [[1, 2, 3], np.array([1, 2, 3]), torch.tensor([[1, 2, 3]]), [np.int64(1), 2, 3]])
def test_one_prompt(tiny, prompts):
    """A list of numbers is no list of prompts."""
    report = compare_layers(tiny(), tiny(), prompts)

    assert (report.prompts, report.positions) == (1, 3)


@pytest.mark.parametrize("prompts", [[[7]], [[7], [8]]])
def test_prompts_of_one_token(tiny, half, prompts):
    """Few numbers, and no false alarm."""
    assert compare_layers(half(tiny(attention="sdpa")), tiny(), prompts, control=half(tiny())).passed
