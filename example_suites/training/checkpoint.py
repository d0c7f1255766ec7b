"""Folders with a model and its tokenizer, and the one door to transformers' loosely typed calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

Model = transformers.LlamaForCausalLM
ChatTokenizer = transformers.PreTrainedTokenizerFast

# Its annotations differ between releases, so what is called here is checked by running it.
_transformers: Any = transformers


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> Model:
    """The model of a folder, ready to answer."""
    model: Model = _transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    model.train(mode=False)
    return model


def load_tokenizer(folder: Path) -> ChatTokenizer:
    """The tokenizer of a folder."""
    tokenizer: ChatTokenizer = _transformers.AutoTokenizer.from_pretrained(folder)
    return tokenizer


def wrap_tokenizer(tokenizer: Tokenizer, chat_template: str, **specials: object) -> ChatTokenizer:
    """The tokenizer as transformers knows it."""
    wrapped: ChatTokenizer = _transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, chat_template=chat_template, clean_up_tokenization_spaces=False, **specials
    )
    return wrapped


def save(model: Model, tokenizer: ChatTokenizer, folder: Path) -> None:
    """Writes everything that loading the folder needs."""
    model.generation_config = _transformers.GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=False,
    )
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    save_tokenizer(tokenizer, folder)


def save_tokenizer(tokenizer: ChatTokenizer, folder: Path) -> None:
    """Writes the tokenizer, without the notes on where it was loaded from."""
    for note in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(note, None)
    tokenizer.save_pretrained(folder)


def render_chat(tokenizer: ChatTokenizer, messages: list[dict[str, str]], **options: object) -> str:
    """The messages in the tokenizer's chat template."""
    chat: Any = tokenizer
    text: str = chat.apply_chat_template(messages, tokenize=False, **options)
    return text


def token_ids(tokenizer: ChatTokenizer, text: str, *, bos: bool) -> list[int]:
    """Token ids of a text, with the start token in front if wanted."""
    ids: list[int] = tokenizer(text, add_special_tokens=bos)["input_ids"]
    return ids


def write_greedily(model: Model, ids: torch.Tensor, limit: int) -> torch.Tensor:
    """Up to `limit` tokens after prompts of equal length, (prompts, tokens)."""
    writer: Any = model
    written: torch.Tensor = writer.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=limit)
    return written[:, ids.shape[1] :]


def silence_progress_bars() -> None:
    """No bars while folders are read and written."""
    _transformers.utils.logging.disable_progress_bar()
