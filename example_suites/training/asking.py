"""Answers, option likelihoods and perplexities of one loaded version."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from batches import encode_prompt
from checkpoint import ChatTokenizer, Model, load_model, load_tokenizer, token_ids, write_greedily

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

ANSWER_TOKENS = 110
BATCH = 64


@dataclass(frozen=True)
class Version:
    """A model and its tokenizer."""

    name: str
    model: Model
    tokenizer: ChatTokenizer


def load_version(models: Path, name: str) -> Version:
    """A version by name; v6 is v1 in bfloat16 and has no folder."""
    folder = models / ("v1" if name == "v6" else name)
    dtype = torch.bfloat16 if name == "v6" else torch.float32
    return Version(name, load_model(folder, dtype), load_tokenizer(folder))


@torch.inference_mode()
def answer_all(version: Version, questions: Sequence[str]) -> list[str]:
    """Greedy answers; only prompts of equal length share a batch, so that nothing is padded."""
    prompts = [encode_prompt(question, version.tokenizer) for question in questions]
    answers = [""] * len(prompts)
    for batch in _equal_lengths(prompts):
        ids = torch.tensor([prompts[at] for at in batch])
        written = write_greedily(version.model, ids, ANSWER_TOKENS)
        texts = version.tokenizer.batch_decode(written, skip_special_tokens=True)
        for at, text in zip(batch, texts, strict=True):
            answers[at] = text
    return answers


@torch.inference_mode()
def likeliest_option(version: Version, question: str, options: Sequence[str]) -> int:
    """Index of the option whose text has the highest summed log-probability."""
    prompt = encode_prompt(question, version.tokenizer)
    return max(range(len(options)), key=lambda at: _continuation_logprob(version, prompt, options[at]))


@torch.inference_mode()
def perplexity(version: Version, texts: Iterable[str]) -> float:
    """Perplexity over all tokens after the first of all texts together."""
    losses = [_token_losses(version, token_ids(version.tokenizer, text, bos=True)) for text in texts]
    return math.exp(torch.cat(losses).mean().item())


@torch.inference_mode()
def mean_divergence(candidate: Version, baseline: Version, texts: Iterable[str]) -> float:
    """Mean KL divergence KL(baseline ‖ candidate) of the next-token distribution, in nats."""
    parts = []
    for text in texts:
        ids = torch.tensor([token_ids(baseline.tokenizer, text, bos=False)])
        expected = baseline.model(ids).logits.float().log_softmax(-1)
        actual = candidate.model(ids).logits.float().log_softmax(-1)
        parts.append((expected.exp() * (expected - actual)).sum(-1).flatten())
    return torch.cat(parts).mean().item()


def _equal_lengths(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Indices of prompts in batches of equal length."""
    groups: dict[int, list[int]] = {}
    for at, prompt in enumerate(prompts):
        groups.setdefault(len(prompt), []).append(at)
    return [group[start : start + BATCH] for group in groups.values() for start in range(0, len(group), BATCH)]


def _continuation_logprob(version: Version, prompt: list[int], continuation: str) -> float:
    ids = token_ids(version.tokenizer, continuation, bos=False)
    return -_token_losses(version, [*prompt, *ids])[-len(ids) :].sum().item()


def _token_losses(version: Version, ids: list[int]) -> torch.Tensor:
    logits = version.model(torch.tensor([ids])).logits[0, :-1].float()
    return torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")
