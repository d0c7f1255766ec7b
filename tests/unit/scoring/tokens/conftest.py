"""Tokenizers of four families, trained on a few lines, and the example model's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

# Property tests here compare texts, not speed: a busy machine is no failure.
settings.register_profile("tokens", deadline=None)
settings.load_profile("tokens")

MODELS = Path(__file__).parents[4] / "example_suites" / "models"
LINES = [
    "The quick brown fox jumps over the lazy dog.",
    "Where is my order? It is on its way, it will come on Friday!",
    "the theory of other things , and of nothing else",
    "hello hello world worlds wording",
] * 4
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
ROLES = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


def special() -> list[AddedToken]:
    """Special tokens that are matched as they stand."""
    return [AddedToken(token, special=True, normalized=False) for token in SPECIAL]


def byte_level() -> PreTrainedTokenizerFast:
    """Byte-level BPE, as of GPT-2 or Llama 3, with a BOS."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=special(),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{role: token for role, token in ROLES.items() if role != "unk_token"}
    )


def llama_style() -> PreTrainedTokenizerFast:
    """BPE that falls back to bytes and puts ▁ before the text, as of Llama 2."""
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[0], byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    byte_tokens = [f"<0x{number:02X}>" for number in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=[*special(), *byte_tokens], show_progress=False)
    tokenizer.train_from_iterator(LINES, trainer)
    # Byte tokens are ordinary ones: only the four stay special.
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [each for each in data["added_tokens"] if each["content"] in SPECIAL]
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **ROLES)


def word_piece() -> PreTrainedTokenizerFast:
    """WordPiece in lower case, as of BERT."""
    names = ["[UNK]", "[CLS]", "[SEP]", "[PAD]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token=names[0]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=200,
        special_tokens=[AddedToken(each, special=True, normalized=False) for each in names],
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **dict(zip(("unk_token", "cls_token", "sep_token", "pad_token"), names, strict=True)),
    )


def unigram() -> PreTrainedTokenizerFast:
    """Unigram after NFKC, as of T5, with an EOS."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=special(), unk_token=SPECIAL[0], show_progress=False
    )
    tokenizer.train_from_iterator(LINES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **ROLES)


FAMILIES = {"byte-level": byte_level, "llama-style": llama_style, "word-piece": word_piece, "unigram": unigram}


@pytest.fixture(scope="session")
def families() -> dict[str, Any]:
    """One tokenizer a family."""
    return {name: make() for name, make in FAMILIES.items()}


def loaded(version: str) -> Any:
    """A fresh tokenizer of an example model: tests change it."""
    return AutoTokenizer.from_pretrained(MODELS / version)


@pytest.fixture
def v1() -> Any:
    """The example model's tokenizer."""
    return loaded("v1")


@pytest.fixture
def v4() -> Any:
    """That of the version with another chat template."""
    return loaded("v4")


@pytest.fixture
def remade(v1) -> Any:
    """A function that makes v1's tokenizer again from its file after a change of it."""

    def make(change: Any) -> Any:
        data = json.loads(v1.backend_tokenizer.to_str())
        change(data)
        again = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(json.dumps(data)),
            **{role: token for role, token in ROLES.items() if role != "unk_token"},
            clean_up_tokenization_spaces=False,
        )
        again.chat_template = v1.chat_template
        return again

    return make


@pytest.fixture(scope="session")
def session_v1() -> Any:
    """The example model's tokenizer, for tests that do not change it."""
    return loaded("v1")
