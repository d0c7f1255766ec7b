"""Tiny random models for the transformers engine, made once a session; nothing heavy is imported before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmval.settings import ModelSettings

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = (
    "The opening hours of the library are nine to five on weekdays and ten to two on Saturdays. "
    "You can return a book at any branch; late returns cost ten cents a day. "
    "Question: what does a lost card cost? Answer: a lost card costs five euros. "
    "Grüße aus Köln, naïve café, 東京 and 🙂 are text too. "
) * 20
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CONTEXT = 128


def save_tokenizer(folder: Path, *, adds_bos: bool = True, chat_template: str | None = CHAT_TEMPLATE) -> Any:
    """A byte-level BPE tokenizer of 400 tokens, saved in the folder."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>", "<|user|>", "<|assistant|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([CORPUS], trainer)
    if adds_bos:
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>")  # noqa: S106 - not that kind of token
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(folder)
    return tokenizer


def save_model(folder: Path, config: Any) -> ModelSettings:
    """A random model of this configuration and its tokenizer, saved in the folder."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(7)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return ModelSettings(name=folder.name, model=str(folder))


SIZES: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
}


def architecture(kind: str) -> Any:
    """The configuration of a tiny model of one architecture."""
    import transformers

    configs = {
        "llama": lambda: transformers.LlamaConfig(**SIZES),
        "gpt2": lambda: transformers.GPT2Config(
            **SIZES | {"n_layer": 2, "n_head": 4, "n_embd": 64, "n_positions": CONTEXT}
        ),
        "mistral": lambda: transformers.MistralConfig(**SIZES, sliding_window=24),
        "gpt_neo": lambda: transformers.GPTNeoConfig(
            **SIZES, num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]], window_size=24
        ),
        "mpt": lambda: transformers.MptConfig(vocab_size=400, d_model=64, n_layers=2, n_heads=4, max_seq_len=CONTEXT),
        "lfm2": lambda: transformers.Lfm2Config(**SIZES, full_attn_idxs=[1]),
        "gemma": lambda: transformers.Gemma2Config(**SIZES, head_dim=16, sliding_window=24),
    }
    return configs[kind]()


@pytest.fixture(scope="session")
def make_tokenizer() -> Any:
    """The function that makes a tokenizer in a folder."""
    return save_tokenizer


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function from an architecture's name to the settings of a tiny random model of it."""
    made: dict[str, ModelSettings] = {}

    def settings(kind: str) -> ModelSettings:
        if kind not in made:
            folder = tmp_path_factory.mktemp("models") / kind
            save_tokenizer(folder)
            made[kind] = save_model(folder, architecture(kind))
        return made[kind]

    return settings


@pytest.fixture(scope="session")
def engine(tiny_model: Any) -> Any:
    """The engine of a tiny random Llama whose greedy texts vary; batches of 8."""
    from pytest_llmval.servers.engine import TransformersEngine

    return TransformersEngine(tiny_model("llama"), batch_size=8)


@pytest.fixture(scope="session")
def plain_logprobs(engine: Any) -> Any:
    """The oracle: token ids to float32 log-softmax `[tokens, vocabulary]` by one plain forward pass."""
    import torch

    def compute(ids: list[int]) -> Any:
        with torch.inference_mode():
            return engine.network.model(torch.tensor([ids])).logits[0].float().log_softmax(-1)

    return compute


@pytest.fixture(scope="session")
def generated_alone() -> Any:
    """The oracle: an engine and a prompt to `model.generate`'s greedy token ids, batch of one."""
    import torch

    def generate(engine: Any, prompt: str, max_tokens: int) -> list[int]:
        ids = engine.tokenizer(prompt, return_tensors="pt")["input_ids"]
        options = {"max_new_tokens": max_tokens, "do_sample": False, "pad_token_id": 0}
        with torch.inference_mode():
            output = engine.network.model.generate(ids, attention_mask=torch.ones_like(ids), **options)
        return output[0, ids.shape[1] :].tolist()

    return generate
