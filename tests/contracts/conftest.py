"""Small random models: one to damage in memory, and folders as `save_pretrained` writes them."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODELS = Path(__file__).parents[2] / "example_suites" / "models"
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,  # large enough that attention is not a mere mean
}
GPT2_SIZES = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "initializer_range": 0.2}
ROLES = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
FAMILIES = ("llama", "qwen2", "gemma3", "gpt2", "mamba")


def config_of(family: str, **changes: Any) -> Any:
    """Config of a small model."""
    from transformers import Gemma3TextConfig, GPT2Config, LlamaConfig, MambaConfig, Qwen2Config

    sliding = {"head_dim": 8, "sliding_window": 8, "query_pre_attn_scalar": 8}
    kinds = {
        "llama": (LlamaConfig, SIZES),
        "qwen2": (Qwen2Config, SIZES),
        "gemma3": (Gemma3TextConfig, SIZES | sliding),
        "gpt2": (GPT2Config, GPT2_SIZES),
        "mamba": (MambaConfig, {"hidden_size": 32, "num_hidden_layers": 2}),
    }
    kind, sizes = kinds[family]
    return kind(**(sizes | changes))


def build(family: str = "llama", vocabulary: int = 120, **changes: Any) -> Any:
    """A model in evaluation mode, seed 0."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    ends: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    config = config_of(family, vocab_size=vocabulary, **(ends | changes))
    return AutoModelForCausalLM.from_config(config).eval()


def trained_tokenizer() -> Any:
    """Byte-level BPE of 300 tokens; transformers gives Qwen's class one more special token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(ROLES.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["Where is my order? It is on its way, it will come on Friday!"] * 4, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **ROLES)


@pytest.fixture(scope="session", autouse=True)
def loaded() -> None:
    """The pytester forgets what an inner run imported, and parts of torch cannot be imported twice."""
    for name in ("chat_template", "numerics", "server", "tokenizer"):
        importlib.import_module(f"pytest_llmval.contracts.{name}")
    importlib.import_module("pytest_llmval.servers.engine.loading")
    importlib.import_module("torch._dynamo")
    for family in FAMILIES:
        build(family)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Models this small run ten times slower when threads wait for each other; an inner run is nobody's worker."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def random_model() -> Callable[..., Any]:
    """The function that builds a model that a test may damage."""
    return build


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a random model of a family, with a trained tokenizer unless told otherwise."""

    def save(family: str = "llama", *, tokenizer: bool = True, **changes: Any) -> Path:
        folder = tmp_path / family
        ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}
        build(family, vocabulary=320, **(ends | changes)).save_pretrained(folder)
        if tokenizer:
            trained_tokenizer().save_pretrained(folder)
        return folder

    return save


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """A function that copies an example model, to be damaged."""
    return lambda version: shutil.copytree(MODELS / version, tmp_path / f"{version}-copy")


@pytest.fixture
def models() -> Path:
    """The folder of the trained example models."""
    return MODELS
