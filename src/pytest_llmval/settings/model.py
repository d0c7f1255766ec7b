"""ModelSettings: one model version as it is described."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

DTYPES = ("float32", "bfloat16", "float16", "auto")
QUANTIZATIONS = {"int8": ("torchao", "accelerate"), "nf4": ("bitsandbytes", "accelerate")}
"""Quantisations that are applied at load, each with the libraries it needs."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """One entry of `[models]`: what answers for a model version."""

    name: str
    """Name of the version, as the user calls it."""
    server: str = "transformers"
    model: str = ""
    """Folder or hub id; of a remote server, the name by which it knows the model."""
    dtype: str = "float32"
    """`float32`, `bfloat16`, `float16`, or `auto` for the dtype of the checkpoint."""
    revision: str | None = None
    """Branch, tag or commit of a hub id; of `triton`, the version of the model."""
    adapter: str | None = None
    """Folder of a LoRA adapter that is put on the model."""
    quantization: str | None = None
    """Quantisation that is applied at load, `int8` or `nf4`; None for a checkpoint as it is, quantised or not."""
    device: str = "auto"
    """`auto` (CUDA when there is one, else CPU), or a torch device name."""
    threads: int = 1
    """CPU threads of the engine, the same serially and under xdist: threads change the last bits."""
    same_weights_as: str | None = None
    """Version whose weights this one claims to share; turns the layer and logit gates on."""
    answers: str | None = None
    """File of the `scripted` and `replay` servers: JSON Lines of prompt and answer."""
    url: str = field(default="", repr=False)
    """Base URL of a remote server; with the version of the interface for `openai`: `http://127.0.0.1:8000/v1`."""
    api_key_env: str | None = None
    """Environment variable that holds its key; None where none is sent."""
    requests_per_minute: int | None = None
    """Most requests a minute of the whole run; None for no limit."""
    tokens_per_minute: int | None = None
    """Most tokens a minute of the whole run, in and out; None for no limit."""
    concurrency: int = 8
    """Most requests of the run that it has at a time."""
    timeout: float = 120.0
    """Seconds after which one attempt at a request is given up."""
    attempts: int = 6
    """How often a request is sent at most before it counts as unanswered."""
    streams: bool = False
    """Whether answers are streamed, which tells the time of the first token."""
    options: tuple[tuple[str, Any], ...] = ()
    """What is sent with each request for an answer beside the common names, `repeat_penalty` for example."""
    input_price: float | None = None
    """US dollars a million tokens in; None where nobody said."""
    output_price: float | None = None
    """US dollars a million tokens out; None where nobody said."""
    reference: str | None = None
    """Folder with the model that a server claims to serve: its tokenizer counts tokens and renders conversations, and
    its numbers are what the server contract expects."""
    protocol: str = "http"
    """How `triton` is asked: `http` or `grpc`."""
    model_repository: str | None = None
    """Folder from which `triton` is started; None for one that runs."""
    command: tuple[str, ...] = ()
    """What starts the server, with `{port}` where its port goes; empty for one that runs."""
    python: str | None = None
    """Interpreter of the environment that a server is started in; None for the one pytest runs in."""
    args: tuple[str, ...] = ()
    """More arguments of the server that is started."""
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Environment variables of the server that is started, beside those of pytest."""
    health: str = ""
    """Path that answers with status 200 once the server is ready; empty for what such servers have."""
    start_timeout: float = 600.0
    """Seconds that a server is given to be ready."""
    home: str = ""
    """Folder of the settings file, in which commands are started."""

    @classmethod
    def made_of(cls, values: Mapping[str, Any]) -> Self:
        """The settings from JSON or TOML values of the right types."""
        lists = {name: tuple(values[name]) for name in ("command", "args") if name in values}
        tables = {name: _pairs(values.get(name, ())) for name in ("env", "options")}
        return cls(**{**values, **lists, **tables})

    @property
    def folder(self) -> Path | None:
        """The model's folder, None when it is a hub id."""
        path = Path(self.model)
        return path if self.model and path.is_dir() else None

    @property
    def is_recorded(self) -> bool:
        """Whether there is no model, but a baseline whose answers `llmval bless` recorded; `model` is its folder."""
        return self.server == "recorded"

    @property
    def is_engine(self) -> bool:
        """Whether its weights are loaded by the engine, so that its numbers can be looked at."""
        return self.server == "transformers"

    @property
    def is_log(self) -> bool:
        """Whether its answers were given before, and are only looked up."""
        return self.server == "replay"

    @property
    def is_asked(self) -> bool:
        """Whether another program answers for it, request by request; then only what is needed is asked."""
        return self.server in ("openai", "vllm", "triton", "litellm")

    @property
    def is_started(self) -> bool:
        """Whether its server is started by this run, and ended with it."""
        return self.is_asked and not self.url and self.server != "litellm"

    @property
    def is_free(self) -> bool:
        """Whether its answers cost nothing but the time of a machine that is there anyway."""
        return not self.is_asked or self.is_started

    @property
    def reference_model(self) -> ModelSettings | None:
        """The same model for the engine, by which tokens are counted and a server's numbers judged; None if unknown."""
        if self.is_engine:
            return self
        folder = self.reference or (self.model if self.server == "vllm" and not self.url and self.folder else None)
        if folder is None:
            return None
        adapter = None if self.reference else self.adapter
        return ModelSettings(name=f"reference of {self.name}", model=folder, adapter=adapter)

    @property
    def weights_name(self) -> str:
        """The version whose weights these are."""
        return self.same_weights_as or self.name


def _pairs(table: Any) -> tuple[tuple[str, Any], ...]:
    """A table, or its pairs as JSON has them, as pairs that can be hashed."""
    return tuple((name, value) for name, value in (table.items() if isinstance(table, dict) else table))
