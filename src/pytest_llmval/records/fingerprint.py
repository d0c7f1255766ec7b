"""Fingerprint: the digest of all that makes a model version answer as it does."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.records.environment import library_versions, resolve_device
from pytest_llmval.records.files import replace_file
from pytest_llmval.settings import QUANTIZATIONS
from pytest_llmval.settings.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.settings import ModelSettings

ENGINE = 3
"""Raised whenever the engine computes other numbers than before, so that old records are not taken for new ones."""
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "added_tokens.json",
    "special_tokens_map.json",
)
TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")
CONFIG_FILES = ("config.json", "generation_config.json", "adapter_config.json")
QUANTIZERS = {"awq": "gptqmodel", "gptq": "gptqmodel", "quanto": "optimum-quanto"}
"""Libraries that are not called as transformers calls the quantisation they are for."""
WEIGHT_SUFFIXES = (".safetensors", ".bin", ".gguf", ".pt", ".pth")
CHUNK = 1 << 20
SHA256_DIGITS = 64
SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a model version is, part by part."""

    parts: dict[str, Any]
    is_local: bool
    """Whether every byte of the model was hashed, so that a later run may take over its responses."""

    @property
    def digest(self) -> str:
        """SHA-256 over all parts."""
        return content_hash(self.parts)

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """The parts by name, each short enough to be shown: of hashes the first twelve digits."""
        return tuple((name, _shown(part)) for name, part in self.parts.items())


def _shown(part: Any) -> str:
    if isinstance(part, dict):
        return content_hash(part)[:SHOWN_DIGITS] if "weights" in part else " ".join(f"{k} {v}" for k, v in part.items())
    return part[:SHOWN_DIGITS] if isinstance(part, str) and len(part) == SHA256_DIGITS else str(part)


def fingerprint(model: ModelSettings, cache: Path | None) -> Fingerprint:
    """The fingerprint of a version, without loading it.

    Args:
        model: The version.
        cache: Folder in which hashes of large files are remembered by path, size and time of change; None to
            remember nothing.
    """
    parts: dict[str, Any] = {"server": model.server, "engine": ENGINE}
    if model.server in ("scripted", "replay"):
        return Fingerprint(parts | {"answers": _hash_file(Path(model.answers or ""), cache)}, is_local=True)
    if model.is_asked:
        return Fingerprint(_served_parts(model, cache), is_local=False)
    parts |= _loading_parts(model)
    if model.adapter:
        parts["adapter"] = _folder_parts(Path(model.adapter), cache)
    if model.folder is None:
        return Fingerprint(parts | {"model": model.model, "revision": model.revision}, is_local=False)
    return Fingerprint(parts | _folder_parts(model.folder, cache), is_local=True)


def _served_parts(model: ModelSettings, cache: Path | None) -> dict[str, Any]:
    """What is known of a model that another program serves: by which name and where, or how it is started.

    Never all of it, so that no later run takes its answers over. Of variables, which may be secret, the hash alone.
    """
    parts: dict[str, Any] = {"server": model.server, "protocol": model.protocol if model.server == "triton" else "http"}
    parts["model"] = _in_place(model.model, model)
    parts["url" if model.url else "started by"] = shown_url(model.url) if model.url else _command(model)
    if model.options:
        parts["options"] = dict(model.options)
    if model.env:
        parts["environment"] = content_hash(dict(model.env))
    paths = {"adapter": model.adapter, "reference": model.reference, "python": model.python}
    parts |= {name: _in_place(path, model) for name, path in paths.items() if path}
    if model.revision:
        parts["revision"] = model.revision
    folder = model.folder if model.server == "vllm" and not model.url else None
    return parts if folder is None else parts | _folder_parts(folder, cache)


def _in_place(path: str, model: ModelSettings) -> str:
    """A path as it is from the folder of the settings file, the same in every checkout; other text as it is."""
    return os.path.relpath(path, model.home) if model.home and Path(path).is_absolute() else path


def _command(model: ModelSettings) -> str:
    given = [*model.command, *model.args] or [model.server]
    repository = [_in_place(model.model_repository, model)] if model.model_repository else []
    dtype = [f"--dtype {model.dtype}"] if model.server == "vllm" else []
    return " ".join([*given, *repository, *dtype])


def _loading_parts(model: ModelSettings) -> dict[str, Any]:
    """How it is loaded, and by what: each may change the last bits of an answer."""
    return {
        "dtype": model.dtype,
        "quantization": model.quantization,
        "device": resolve_device(model.device),
        "threads": model.threads,
        "libraries": library_versions(("torch", "transformers", "tokenizers", *_more_libraries(model))),
    }


def _more_libraries(model: ModelSettings) -> Iterator[str]:
    """Libraries that compute only in such versions; plain ones keep their records when these are installed."""
    if model.adapter:
        yield "peft"
    yield from QUANTIZATIONS.get(model.quantization or "", ())
    if method := _checkpoint_quantization(model):
        yield QUANTIZERS.get(method, method)


def _checkpoint_quantization(model: ModelSettings) -> str | None:
    """What the checkpoint says it was quantised by; None for a hub id, whose files are not looked at."""
    try:
        config = json.loads((Path(model.model) / "config.json").read_text(encoding="utf-8"))
        return str(config["quantization_config"]["quant_method"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folder_parts(folder: Path, cache: Path | None) -> dict[str, str]:
    return {
        "weights": _hash_files(_weights(folder), cache),
        "config": _hash_files(_present(folder, CONFIG_FILES), cache),
        "tokenizer": _hash_files(_present(folder, TOKENIZER_FILES), cache),
        "template": _hash_files(_present(folder, TEMPLATE_FILES), cache),
    }


def _weights(folder: Path) -> Iterator[Path]:
    yield from sorted(each for each in folder.iterdir() if each.suffix in WEIGHT_SUFFIXES)


def _present(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    yield from (folder / name for name in names if (folder / name).is_file())


def _hash_files(paths: Iterator[Path], cache: Path | None) -> str:
    return content_hash([[path.name, _hash_file(path, cache)] for path in paths])


def _hash_file(path: Path, cache: Path | None) -> str:
    """SHA-256 of a file; one that did not change since is not read again."""
    stat = path.stat()
    state = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    if cache is None or stat.st_size < CHUNK:
        return _read_and_hash(path)
    note = cache / f"{content_hash(state)}.json"
    try:
        return str(json.loads(note.read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        digest = _read_and_hash(path)
        replace_file(note, json.dumps({"sha256": digest}))
        return digest


def _read_and_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
