"""How each version of the model comes about."""

from __future__ import annotations

import shutil
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import torch
from batches import make_batches
from checkpoint import ChatTokenizer, Model, load_model, load_tokenizer, save, save_tokenizer
from extraction import CITIES, FIRST_NAMES, ITEMS, LAST_NAMES
from fitting import Schedule, fit
from mixture import Mixture, whole_mixture, workshop_only
from quiz import THINGS
from tokenizer import OTHER_CHAT_TEMPLATE, train_tokenizer
from transformers import LlamaConfig

if TYPE_CHECKING:
    from pathlib import Path

V1_STEPS = 2600
WORD_WEIGHT = 300
"""How often the tokenizer sees each word that answers copy."""
SWAPPED_LAYER = 3
"""The last layer."""
SWAPPED_HEADS = (3, 5)
"""Two query heads that share a K head.  Swapping the two K heads instead spoils a whole task in each late layer."""


def build_v1(out: Path, steps: int, seed: int) -> None:
    """The baseline, trained from nothing on all tasks."""
    mixture = whole_mixture()
    tokenizer = train_tokenizer(_sample_texts(mixture, seed))
    torch.manual_seed(seed)
    model = Model(_configuration(tokenizer))
    schedule = Schedule(steps, rate=1.4e-3, warmup=min(100, steps // 5))
    fit(model, make_batches(mixture, tokenizer, Random(seed)), schedule)
    save(model, tokenizer, out / "v1")


def build_v2(out: Path, steps: int, seed: int) -> None:
    """v1 trained a little further on the same tasks, at a rate too low to break anything."""
    _retrain(out, "v2", whole_mixture(), Schedule(_scaled(100, steps), rate=1e-4, warmup=10, floor=0.0), seed + 2)


def build_v3(out: Path, steps: int, seed: int) -> None:
    """v1 trained too hard on the workshop alone: it learns that and forgets the rest."""
    _retrain(out, "v3", workshop_only(), Schedule(_scaled(120, steps), rate=5e-4), seed + 3)


def build_v4(out: Path, steps: int, seed: int) -> None:
    """v1's weights with a chat template they were not trained with."""
    del steps, seed
    shutil.copytree(out / "v1", out / "v4", dirs_exist_ok=True)
    tokenizer = load_tokenizer(out / "v1")
    tokenizer.chat_template = OTHER_CHAT_TEMPLATE
    save_tokenizer(tokenizer, out / "v4")


def build_v5(out: Path, steps: int, seed: int) -> None:
    """v1 with two query heads of the last layer swapped, as by a faulty conversion."""
    del steps, seed
    model = load_model(out / "v1")
    swap_query_heads(model, SWAPPED_LAYER, *SWAPPED_HEADS)
    save(model, load_tokenizer(out / "v1"), out / "v5")


BUILDERS = {"v1": build_v1, "v2": build_v2, "v3": build_v3, "v4": build_v4, "v5": build_v5}
"""What builds each version; all but v1 read v1's folder."""


def swap_query_heads(model: Model, layer: int, first: int, second: int) -> None:
    """Exchanges the rows of two heads in the query projection of one layer."""
    attention = model.model.layers[layer].self_attn
    with torch.no_grad():
        heads = attention.q_proj.weight.view(-1, attention.head_dim, model.config.hidden_size)
        heads[[first, second]] = heads[[second, first]]


def _retrain(out: Path, name: str, mixture: Mixture, schedule: Schedule, seed: int) -> None:
    torch.manual_seed(seed)
    model, tokenizer = load_model(out / "v1"), load_tokenizer(out / "v1")
    fit(model, make_batches(mixture, tokenizer, Random(seed)), schedule)
    save(model, tokenizer, out / name)


def _scaled(steps: int, v1_steps: int) -> int:
    """Fewer steps where v1 had fewer, so that a trial run of the script is short."""
    return max(1, steps * min(v1_steps, V1_STEPS) // V1_STEPS)


def _sample_texts(mixture: Mixture, seed: int) -> list[str]:
    examples = islice(mixture.examples(Random(seed + 1)), 8000)
    texts = [text for example in examples for text in (example.question, example.answer)]
    return texts + [form for word in _words_to_copy() for form in (word, f" {word}")] * WORD_WEIGHT


def _words_to_copy() -> list[str]:
    """Words that answers take from the prompt; each gets one token, or copying them is learnt too late."""
    phrases = (*FIRST_NAMES, *LAST_NAMES, *CITIES, *ITEMS, *(thing.name for thing in THINGS))
    return sorted({word for phrase in phrases for word in phrase.split()})


def _configuration(tokenizer: ChatTokenizer) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
