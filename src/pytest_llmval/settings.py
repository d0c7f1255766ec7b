"""What the user asked for: `llmval.toml` read, model versions resolved, options merged."""

from __future__ import annotations

import dataclasses
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CONFIG_NAME = "llmval.toml"
SERVERS = ("transformers", "scripted")
DTYPES = ("float32", "bfloat16", "float16", "auto")
QUANTIZATIONS = {"int8": ("torchao", "accelerate"), "nf4": ("bitsandbytes", "accelerate")}
"""Quantisations that are applied at load, each with the libraries it needs."""
DEFAULT_BLOCK = 32
VARIABLE = ("dataset", "prompt", "decoding", "metric", "judge", "batching", "protocol")
"""What `--llmval-vary` may allow to differ between candidate and baseline."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """One entry of `[models]`: how a model version is loaded."""

    name: str
    """Name of the version, as the user calls it."""
    server: str = "transformers"
    model: str = ""
    """Folder or hub id."""
    dtype: str = "float32"
    """`float32`, `bfloat16`, `float16`, or `auto` for the dtype of the checkpoint."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
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
    """File of the `scripted` server: JSON Lines of prompt and text."""

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
    def weights_name(self) -> str:
        """The version whose weights these are."""
        return self.same_weights_as or self.name


@dataclass(frozen=True, slots=True)
class Config:
    """The contents of one `llmval.toml`, or of `[tool.llmval]` in a `pyproject.toml`."""

    path: Path | None = None
    """The file, None when none was found."""
    models: Mapping[str, ModelSettings] = field(default_factory=dict)
    default_model: str | None = None
    default_baseline: str | None = None
    store: str | None = None
    block: int = DEFAULT_BLOCK
    """Cases that are answered together."""
    seed: int = 0

    working_folder: Path = field(default_factory=Path)
    """Where relative paths start when there is no file."""

    @property
    def folder(self) -> Path:
        """Where relative paths of the file start."""
        return self.path.parent if self.path else self.working_folder


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run needs to know, options and files merged."""

    config: Config
    candidate: ModelSettings | None
    baseline: ModelSettings | None
    store: Path
    out: Path
    run_id: str
    seed: int = 0
    trials: int = 1
    plan: bool = False
    offline: bool = False
    strict: bool = False
    same_weights: bool = False
    """Whether the user declared with `--llmval-same-weights` that both versions share their weights."""
    vary: tuple[str, ...] = ()
    prompt: str | None = None
    """Variant of the prompt that is asked; None for the first of each case set."""
    audit_folder: Path | None = None
    """Where an audit keeps its records meanwhile; None when this is none."""

    def __post_init__(self) -> None:
        """Two folders may bear one name, as in `old/model` and `new/model`; servers and answers are kept by name."""
        if not self.candidate or not self.baseline or self.candidate == self.baseline:
            return
        if self.candidate.name == self.baseline.name:
            candidate, baseline = _told_apart(self.candidate, self.baseline, self.config)
            object.__setattr__(self, "candidate", candidate)
            object.__setattr__(self, "baseline", baseline)

    def for_audit(self) -> Settings:
        """The same with the candidate as its own baseline where there is none, in folders of its own.

        Bugs are put into the candidate alone; nothing that was recorded may come from a broken model.
        """
        folder = Path(tempfile.mkdtemp(prefix="llmval-audit-"))
        moved = dataclasses.replace(self, store=folder / "store", out=folder / "out", audit_folder=folder)
        if self.candidate is None or self.baseline is not None:
            return moved
        as_it_is = dataclasses.replace(self.candidate, name=f"{self.candidate.name} without bugs")
        return dataclasses.replace(moved, baseline=as_it_is, same_weights=True)

    @property
    def weights_are_shared(self) -> bool:
        """Whether numbers inside candidate and baseline must agree."""
        if self.candidate is None or self.baseline is None:
            return False
        return self.same_weights or self.candidate.weights_name == self.baseline.weights_name


def _told_apart(
    candidate: ModelSettings, baseline: ModelSettings, config: Config
) -> tuple[ModelSettings, ModelSettings]:
    """Both versions, folders named by as much of their paths as tells them apart; a name from the file stays."""
    sides = (candidate, baseline)
    tails = [Path(side.model).parts for side in sides]
    length = next((n for n in range(1, max(map(len, tails)) + 1) if tails[0][-n:] != tails[1][-n:]), None)
    names = ["/".join(tail[-length:]) if length else side.model for side, tail in zip(sides, tails, strict=True)]
    first, second = (
        side if side == config.models.get(side.name) else dataclasses.replace(side, name=name)
        for side, name in zip(sides, names, strict=True)
    )
    return first, second


def find_config(starts: Iterable[Path]) -> Path | None:
    """The nearest `llmval.toml`, or `pyproject.toml` with `[tool.llmval]`, in each start folder and those above it."""
    for start in starts:
        folder = start if start.is_dir() else start.parent
        for each in (folder, *folder.parents):
            found = _config_in(each)
            if found:
                return found
    return None


def _config_in(folder: Path) -> Path | None:
    own = folder / CONFIG_NAME
    if own.is_file():
        return own
    project = folder / "pyproject.toml"
    if project.is_file() and "llmval" in _read_toml(project).get("tool", {}):
        return project
    return None


def read_config(path: Path) -> Config:
    """The settings in a file.

    Raises:
        SettingsError: If the file is missing, is not TOML, or has an unknown table, key or value.
    """
    if not path.is_file():
        msg = f"--llmval-config {path}: no such file"
        raise SettingsError(msg)
    raw = _read_toml(path)
    if path.name == "pyproject.toml":
        raw = raw.get("tool", {}).get("llmval", {})
    _check_keys(raw, ("models", "defaults", "store", "judge", "block"), path.name)
    defaults = _table(raw, "defaults", path)
    _check_keys(defaults, ("model", "baseline", "block", "seed"), f"{path.name} [defaults]")
    return Config(
        path=path.resolve(),
        models=_models(_table(raw, "models", path), path),
        default_model=_default(defaults, "model", raw, path),
        default_baseline=_default(defaults, "baseline", raw, path),
        store=_store_uri(_table(raw, "store", path), path),
        block=_whole(raw.get("block", defaults.get("block", DEFAULT_BLOCK)), "block", path, least=1),
        seed=_whole(defaults.get("seed", 0), "seed", path, least=0),
    )


def _default(defaults: Mapping[str, Any], key: str, raw: Mapping[str, Any], path: Path) -> str | None:
    """A name from `[models]`, or a folder relative to the file."""
    name = defaults.get(key)
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        msg = f"{path.name} [defaults]: {key} = {name!r}; expected the name of a model version"
        raise SettingsError(msg)
    folder = path.parent.resolve() / name
    return str(folder) if name not in raw.get("models", {}) and folder.is_dir() else name


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not valid TOML: {error}"
        raise SettingsError(msg) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise SettingsError(msg) from error


def _table(raw: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    table = raw.get(name, {})
    if not isinstance(table, dict):
        msg = f"{path.name}: {name} = {table!r}; expected a table [{name}]"
        raise SettingsError(msg)
    return table


def _check_keys(table: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    for key in table:
        if key not in known:
            msg = f"{place}: unknown key {key!r}; {nearest(key, known)}"
            raise SettingsError(msg)


def _whole(value: object, name: str, path: Path, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{path.name}: {name} = {value!r}; expected a whole number of at least {least}"
        raise SettingsError(msg)
    return value


def _store_uri(table: Mapping[str, Any], path: Path) -> str | None:
    _check_keys(table, ("uri",), f"{path.name} [store]")
    uri = table.get("uri")
    if uri is None:
        return None
    if not isinstance(uri, str) or "://" in uri:
        msg = f"{path.name} [store]: uri = {uri!r}; expected a folder, since this version keeps records on a disk only"
        raise SettingsError(msg)
    return str(path.parent.resolve() / uri)


def _models(tables: Mapping[str, Any], path: Path) -> dict[str, ModelSettings]:
    models = {name: _model(name, table, path) for name, table in tables.items()}
    for model in models.values():
        if model.same_weights_as:
            _check_choice(model.same_weights_as, models, f"{path.name} [models.{model.name}]: unknown same_weights_as")
    return models


def _model(name: str, table: object, path: Path) -> ModelSettings:
    place = f"{path.name} [models.{name}]"
    if not isinstance(table, dict):
        msg = f'{place}: {table!r}; expected a table with model = "…"'
        raise SettingsError(msg)
    _check_keys(table, [each.name for each in dataclasses.fields(ModelSettings) if each.name != "name"], place)
    _check_types(table, place)
    model = ModelSettings(name=name, **table)
    _check_choice(model.server, SERVERS, f"{place}: unknown server")
    _check_choice(model.dtype, DTYPES, f"{place}: unknown dtype")
    if model.quantization is not None:
        _check_choice(model.quantization, QUANTIZATIONS, f"{place}: unknown quantization")
    return _located(model, path.parent.resolve())


def _check_types(table: Mapping[str, Any], place: str) -> None:
    for key, value in table.items():
        what = "a whole number of at least 1" if key == "threads" else "text"
        is_right = type(value) is int and value >= 1 if key == "threads" else isinstance(value, str)
        if not is_right:
            msg = f"{place}: {key} = {value!r}; expected {what}"
            raise SettingsError(msg)


def _check_choice(value: str, known: Iterable[str], what: str) -> None:
    if value not in known:
        msg = f"{what} {value!r}; {nearest(value, known)}"
        raise SettingsError(msg)


def _located(model: ModelSettings, folder: Path) -> ModelSettings:
    """Paths made absolute. A model that is no folder below the file may be a hub id, so it stays as it is."""
    changes = {
        key: str(folder / value)
        for key in ("model", "adapter", "answers")
        if (value := getattr(model, key)) and (folder / value).exists()
    }
    return dataclasses.replace(model, **changes)  # type: ignore[arg-type]


def store_folder(named: str | None, config: Config, working_folder: Path, option: str = "--llmval-store") -> Path:
    """Where records are kept: the folder that was named, else the one of the settings file, else `.llmval` beside it.

    Raises:
        SettingsError: If a URL is named.
    """
    if named and "://" in named:
        msg = f"{option} {named!r}: expected a folder; stores at a URL are not available in this version"
        raise SettingsError(msg)
    return working_folder / named if named else Path(config.store or config.folder / ".llmval")


def axes_from(text: str | None, option: str) -> tuple[str, ...]:
    """What may differ between two sides, from a list with commas.

    Raises:
        SettingsError: If a name is unknown; the message suggests the nearest.
    """
    axes = tuple(each.strip() for each in (text or "").split(",") if each.strip())
    for axis in axes:
        if axis not in VARIABLE:
            msg = f"{option} {axis!r}: {nearest(axis, VARIABLE)}"
            raise SettingsError(msg)
    return axes


def resolve_version(
    name: str, config: Config, working_folder: Path, option: str, others: Iterable[str] = ()
) -> ModelSettings:
    """The model version that a name, a folder or a URL stands for.

    Args:
        name: What the user gave: a name from `[models]`, or a folder relative to `working_folder`.
        config: The configuration whose names are known.
        working_folder: Where relative folders start.
        option: Name of the option, for the message.
        others: Recorded baselines that would do as well, for the message.

    Raises:
        SettingsError: If it is none of these; the message lists the known names and suggests the nearest.
    """
    if name in config.models:
        return _checked(config.models[name], option)
    if name.startswith(("http://", "https://")):
        msg = f"{option} {name}: answering from a URL is not available in this version; name a model folder"
        raise SettingsError(msg)
    folder = working_folder / name
    if folder.is_dir():
        return _checked(ModelSettings(name=_folder_name(folder), model=str(folder.resolve())), option)
    raise SettingsError(_unknown(name, config, option, list(others)))


def _folder_name(folder: Path) -> str:
    return folder.resolve().name or "model"


def _unknown(name: str, config: Config, option: str, recorded: list[str]) -> str:
    where = f"in {config.path}" if config.path else f"(there is no {CONFIG_NAME})"
    where += " and among the recorded baselines" if recorded else ""
    if "/" in name or name.startswith("."):
        return f"{option} {name!r}: no such folder, and no such name in [models] {where}"
    known = nearest(name, [*config.models, *recorded])
    return f"{option}: unknown model version {name!r}; {known} {where}; or give a model folder"


def _checked(model: ModelSettings, option: str) -> ModelSettings:
    for problem in _problems(model):
        msg = f"{option} {model.name!r}: {problem}"
        raise SettingsError(msg)
    return model


def _problems(model: ModelSettings) -> Iterator[str]:
    if model.server == "scripted":
        if not model.answers or not Path(model.answers).is_file():
            yield f"answers = {model.answers!r} is no file; a scripted server reads its answers from JSON Lines"
        return
    if not model.model:
        yield 'model = "…" is missing; give a folder or a hub id'
    elif model.folder is None and (
        Path(model.model).is_absolute() or model.model.startswith(".") or _is_no_hub_id(model.model)
    ):
        yield f"there is no folder {model.model}"
    elif model.folder is not None and not (model.folder / "config.json").is_file():
        yield f"{model.folder} is no Hugging Face model: it has no config.json"
    if model.adapter and not Path(model.adapter).is_dir():
        yield f"there is no adapter folder {model.adapter}"


def _is_no_hub_id(name: str) -> bool:
    """A hub id is `name` or `owner/name`; deeper paths and `models/…` beside the file are folders that are missing."""
    return name.count("/") > 1 or name.startswith(("models/", "~"))
