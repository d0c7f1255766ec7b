"""Small batches of about equal numbers of tokens, from examples of similar length."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import torch
from checkpoint import ChatTokenizer, render_chat, token_ids

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from example import Example
    from mixture import Mixture

TOKENS_PER_BATCH = 512
EXAMPLES_PER_SHUFFLE = 4096
PROMPT_WEIGHT = 0.1
"""Weight of a prompt token in the loss: little, yet it teaches how questions read."""


@dataclass(frozen=True)
class Batch:
    """Token ids and the loss weight of predicting each of them, both (examples, longest)."""

    ids: torch.Tensor
    weights: torch.Tensor


@dataclass(frozen=True)
class Encoded:
    """One example as token ids, the first `prompt` of them given rather than written."""

    ids: list[int]
    prompt: int
    weight: float


def make_batches(mixture: Mixture, tokenizer: ChatTokenizer, rng: Random) -> Iterator[Batch]:
    """Batches without end, shuffled within stretches of a few thousand examples."""
    examples = mixture.examples(rng)
    while True:
        stretch = [encode(example, tokenizer) for example in islice(examples, EXAMPLES_PER_SHUFFLE)]
        groups = _group_by_length(stretch)
        rng.shuffle(groups)
        yield from (_stack(group, tokenizer) for group in groups)


def encode(example: Example, tokenizer: ChatTokenizer) -> Encoded:
    """The example in the chat format, or as plain text when it has no question."""
    if not example.question:
        return Encoded([*token_ids(tokenizer, example.answer, bos=True), tokenizer.eos_token_id], 1, example.weight)
    prompt = encode_prompt(example.question, tokenizer)
    answer = token_ids(tokenizer, example.answer, bos=False)
    return Encoded([*prompt, *answer, tokenizer.eos_token_id], len(prompt), example.weight)


def encode_prompt(question: str, tokenizer: ChatTokenizer) -> list[int]:
    """Token ids of one user message up to where the answer starts."""
    messages = [{"role": "user", "content": question}]
    return token_ids(tokenizer, render_chat(tokenizer, messages, add_generation_prompt=True), bos=False)


def _group_by_length(encoded: list[Encoded]) -> list[list[Encoded]]:
    groups: list[list[Encoded]] = [[]]
    for one in sorted(encoded, key=lambda one: len(one.ids)):
        if (len(groups[-1]) + 1) * len(one.ids) > TOKENS_PER_BATCH:
            groups.append([])
        groups[-1].append(one)
    return groups


def _stack(group: list[Encoded], tokenizer: ChatTokenizer) -> Batch:
    """Padding stands on the right, where causal attention needs no mask."""
    longest = max(len(one.ids) for one in group)
    ids = torch.full((len(group), longest), tokenizer.pad_token_id)
    weights = torch.zeros(len(group), longest)
    for at, one in enumerate(group):
        ids[at, : len(one.ids)] = torch.tensor(one.ids)
        weights[at, : one.prompt] = PROMPT_WEIGHT
        weights[at, one.prompt : len(one.ids)] = one.weight
    return Batch(ids, weights)
