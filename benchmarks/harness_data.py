"""A tiny Llama with its tokenizer and the documents of four workloads, made from a seed.

The model has 8.5 million random weights. So that its answers stop after different lengths without training, its last
layer holds a successor of each token, which is the line break for a fifth of them, and a cycle that never stops.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

END = "<|endoftext|>"
VOCABULARY = 8192
HIDDEN = 256
LEXICON = 6000  # words
CONTEXT = 1024
ENDING = 0.2  # share of tokens that the line break follows
CYCLE = 64  # tokens that follow each other for ever
ENTERING = 0.01  # share of tokens that a token of the cycle follows
SURENESS = 10.0  # logit of the successor
NOISE = 0.35  # what each block adds, as a share of what random weights would


@dataclass(frozen=True, slots=True)
class Words:
    """Made-up words and what is drawn from them."""

    words: list[str]
    draw: random.Random

    @classmethod
    def of(cls, seed: int) -> Words:
        """Words of two to four syllables, always the same, and draws of this seed."""
        spell = random.Random(0)  # noqa: S311 - no secret
        syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in ("a", "e", "i", "o", "u", "an", "or")]
        found: dict[str, None] = {}
        while len(found) < LEXICON:
            found["".join(spell.choices(syllables, k=spell.randint(2, 4)))] = None
        return cls(list(found), random.Random(seed))  # noqa: S311

    def some(self, fewest: int, most: int) -> str:
        """Between `fewest` and `most` words."""
        return " ".join(self.draw.choices(self.words, k=self.draw.randint(fewest, most)))

    def text(self, words: int) -> str:
        """Sentences of a dozen words."""
        return " ".join(f"{self.some(6, 18).capitalize()}." for _ in range(max(1, words // 12)))


def choice(draw: Words, count: int) -> list[dict[str, Any]]:
    """Contexts of about 100 tokens, four options of about 11."""
    return [_question(f"{draw.text(draw.draw.randint(28, 104))} So", draw) for _ in range(count)]


def _question(prompt: str, draw: Words) -> dict[str, Any]:
    return {"prompt": prompt, "choices": [f" {draw.some(4, 11)}" for _ in range(4)], "answer": draw.draw.randrange(4)}


def letters(draw: Words, count: int) -> list[dict[str, Any]]:
    """Three shots of about 350 tokens that all share, a question, and letters to choose from."""
    shots = "\n\n".join(f"{_lettered(draw, 52)} {letter}" for letter in "BDA")
    options = [" A", " B", " C", " D"]
    return [
        {"prompt": f"{shots}\n\n{_lettered(draw, 20)}", "choices": options, "answer": draw.draw.randrange(4)}
        for _ in range(count)
    ]


def _lettered(draw: Words, words: int) -> str:
    options = "\n".join(f"{letter}. {draw.some(2, 10)}" for letter in "ABCD")
    return f"Question: {draw.text(words)}\n{options}\nAnswer:"


def generation(draw: Words, count: int) -> list[dict[str, Any]]:
    """Prompts of very different lengths."""
    return [
        {"prompt": draw.text(int(draw.draw.lognormvariate(3.6, 0.6))) + f" So {draw.some(1, 3)}"} for _ in range(count)
    ]


def rolling(draw: Words, count: int) -> list[dict[str, Any]]:
    """Texts of very different lengths, as documents have; 60 of them are 76 windows of the context."""
    return [{"prompt": draw.text(int(draw.draw.lognormvariate(5.3, 0.9)))} for _ in range(count)]


WORKLOADS: dict[str, tuple[Callable[[Words, int], list[dict[str, Any]]], int]] = {
    "choice": (choice, 1000),
    "letters": (letters, 300),
    "generation": (generation, 200),
    "rolling": (rolling, 60),
}


def write_documents(folder: Path, share: float) -> None:
    """Write the documents of each workload as JSON Lines with an id each."""
    for seed, (workload, (make, count)) in enumerate(WORKLOADS.items()):
        rows = make(Words.of(seed + 1), max(2, round(share * count)))
        lines = [json.dumps({"id": f"{workload}-{at}"} | row) for at, row in enumerate(rows)]
        (folder / f"{workload}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_documents(folder: Path, workload: str) -> list[dict[str, Any]]:
    """The documents of a workload."""
    lines = (folder / f"{workload}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def write_model(folder: Path) -> None:
    """Write the model and its tokenizer as a Hugging Face folder."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    _network(tokenizer).save_pretrained(folder)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    draw = Words.of(0)
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    bytewise = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=bytewise, show_progress=False
    )
    trained.train_from_iterator((f"{_lettered(draw, 200)} {letter}\n" for letter in "ABCD" * 300), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=trained, bos_token=END, eos_token=END, pad_token=END, model_max_length=CONTEXT
    )


def _network(tokenizer: Any) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=HIDDEN,
        intermediate_size=688,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=4,
        vocab_size=VOCABULARY,
        max_position_embeddings=CONTEXT,
        initializer_range=HIDDEN**-0.5,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    network = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        _quieten(network)
        _follow(network, tokenizer)
    return network


def _quieten(network: Any) -> None:
    """Scale what the blocks add, so that the token itself is still seen after the last one."""
    for block in network.model.layers:
        block.self_attn.o_proj.weight.mul_(NOISE)
        block.mlp.down_proj.weight.mul_(NOISE)


def _follow(network: Any, tokenizer: Any) -> None:
    """Give each token a successor: its row of the last layer points to the token's embedding."""
    import torch

    ending = torch.nn.functional.normalize(torch.randn(HIDDEN), dim=0) * math.sqrt(HIDDEN)
    embeddings = torch.randn(VOCABULARY, HIDDEN)
    rows = torch.randn(VOCABULARY, HIDDEN)
    for token, after in _successors(tokenizer).items():
        if after is None:
            embeddings[token] += ending
        else:
            rows[after] += embeddings[token]
    (line_break,) = tokenizer("\n", add_special_tokens=False)["input_ids"]
    rows[line_break] = 2 * ending
    network.model.embed_tokens.weight.copy_(embeddings)
    network.lm_head.weight.copy_(rows * SURENESS / HIDDEN)


def _successors(tokenizer: Any) -> dict[int, int | None]:
    """The token that follows each, None where it is the line break."""
    draw = random.Random(0)  # noqa: S311 - no secret
    words = [token for text, token in sorted(tokenizer.get_vocab().items()) if text[:1] == "Ġ" and len(text) > 2]  # noqa: PLR2004 - a blank and two letters
    cycle, others = words[:CYCLE], words[CYCLE:]
    following: dict[int, int | None] = dict(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    for token in others:
        enters = draw.random() < ENTERING
        following[token] = None if draw.random() < ENDING else draw.choice(cycle if enters else others)
    return following
