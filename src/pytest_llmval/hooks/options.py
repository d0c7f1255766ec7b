"""Command line, environment and ini become settings. Command line over environment over ini over `llmval.toml`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmval.stash import run_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llmval.settings import Config, ModelSettings, Settings

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off", "")

TEXT_OPTIONS = {
    "model-version": ("NAME", "model version under test: a name from llmval.toml or a model folder (paths with =)"),
    "baseline-version": ("NAME", "model version it is compared with, or a baseline recorded with `llmval bless`"),
    "llmval-config": ("FILE", "settings file [default: the nearest llmval.toml above the tests]"),
    "llmval-store": ("DIR", "where responses, scores and verdicts are kept [default: .llmval beside llmval.toml]"),
    "llmval-out": ("DIR", "where reports are written [default: llmval-out in the working directory]"),
    "llmval-seed": ("N", "seed of the run; each case and trial has its own, derived from it [default: 0]"),
    "llmval-trials": ("N", "asks a case, where the case set does not say [default: 1]"),
    "llmval-budget": ("USD", "stop before the request that might cost more than is left of so many US dollars"),
    "llmval-vary": (
        "AXES",
        "what may differ between the versions besides the model, comma-separated: dataset, prompt, …",
    ),
    "llmval-prompt": (
        "NAME",
        "variant of the prompt that case sets ask which have it [default: the first of each case set]",
    ),
}
SWITCHES = {
    "llmval-plan": "print what would be asked and what is recorded already; run nothing",
    "llmval-offline": "use recorded responses only; ask no model",
    "llmval-strict": "an inconclusive gate fails its test",
    "llmval-audit": "put known bugs into the model, one after the other, and print which tests notice",
    "llmval-same-weights": "both versions claim the same weights: run the tests that compare numbers inside",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """One group in `pytest --help`."""
    group = parser.getgroup("llmval", "regression testing of language models (pytest-llmval)")
    for name, (metavar, text) in TEXT_OPTIONS.items():
        group.addoption(
            *_flags(name), dest=_dest(name), metavar=metavar, default=None, help=f"{text} [env: {_env(name)}]"
        )
        parser.addini(_dest(name), f"{text} (as --{name})", default=None)
    for name, text in SWITCHES.items():
        group.addoption(
            *_flags(name), dest=_dest(name), action="store_true", default=None, help=f"{text} [env: {_env(name)}]"
        )
        parser.addini(_dest(name), f"{text} (as --{name})", default=None)


def _flags(name: str) -> tuple[str, ...]:
    return (f"--{name}",) if name.startswith("llmval-") else (f"--{name}", f"--llmval-{name}")


def _dest(name: str) -> str:
    return "llmval_" + name.removeprefix("llmval-").replace("-", "_")


def _env(name: str) -> str:
    return _dest(name).upper()


def text_option(config: pytest.Config, name: str) -> str | None:
    """The value of an option from the command line, the environment or the ini file, None when none gives it."""
    for value in (config.getoption(_dest(name)), os.environ.get(_env(name)), config.getini(_dest(name))):
        if value not in (None, ""):
            return str(value)
    return None


def switch(config: pytest.Config, name: str) -> bool:
    """Whether a switch is on.

    Raises:
        SettingsError: If the environment or the ini file gives something that is neither true nor false.
    """
    value = (text_option(config, name) or "").strip().lower()
    if value not in TRUE + FALSE:
        from pytest_llmval.errors import SettingsError

        msg = f"{_env(name)}={value!r}: expected true or false"
        raise SettingsError(msg)
    return value in TRUE


def whole_option(config: pytest.Config, name: str, default: int, least: int) -> int:
    """A whole number of at least `least`.

    Raises:
        SettingsError: If the value is not one.
    """
    value = text_option(config, name)
    if value is None:
        return default
    if not value.isdecimal() or int(value) < least:
        from pytest_llmval.errors import SettingsError

        msg = f"--{name} {value!r}: expected a whole number of at least {least}"
        raise SettingsError(msg)
    return int(value)


def dollars_option(config: pytest.Config, name: str) -> float | None:
    """US dollars, 0 or more; None where none are named.

    Raises:
        SettingsError: If the value is no such number.
    """
    value = text_option(config, name)
    if value is None:
        return None
    # A number has only digits and a point: "nan" and "inf" would limit nothing.
    if not value.replace(".", "", 1).isdecimal():
        from pytest_llmval.errors import SettingsError

        msg = f"--{name} {value!r}: expected US dollars, as in --{name} 2.50"
        raise SettingsError(msg)
    return float(value)


def is_version_named(config: pytest.Config) -> bool:
    """Whether the user named a version, so that wrong settings stop pytest before any test."""
    return any(text_option(config, name) for name in ("model-version", "baseline-version"))


def search_starts(config: pytest.Config) -> Iterator[Path]:
    """Where `llmval.toml` is looked for, upward: the first test path, then the working directory."""
    working_folder = config.invocation_params.dir
    if config.args:
        first = working_folder / config.args[0].split("::")[0]
        if first.exists():
            yield first
    yield working_folder


def merge_settings(config: pytest.Config) -> Settings:
    """All sources merged.

    Raises:
        SettingsError: If any of them is wrong.
    """
    from pytest_llmval.settings import Settings, axes_from, store_folder

    file = _config(config)
    working_folder = config.invocation_params.dir
    store = store_folder(text_option(config, "llmval-store"), file, working_folder)
    candidate, baseline = _versions(config, file, store)
    settings = Settings(
        config=file,
        candidate=candidate,
        baseline=baseline,
        store=store,
        out=working_folder / (text_option(config, "llmval-out") or "llmval-out"),
        run_id=run_id_of(config),
        seed=whole_option(config, "llmval-seed", file.seed, least=0),
        trials=whole_option(config, "llmval-trials", 1, least=1),
        plan=switch(config, "llmval-plan"),
        offline=switch(config, "llmval-offline"),
        strict=switch(config, "llmval-strict"),
        same_weights=switch(config, "llmval-same-weights"),
        vary=axes_from(text_option(config, "llmval-vary"), "--llmval-vary"),
        prompt=text_option(config, "llmval-prompt"),
        budget=dollars_option(config, "llmval-budget"),
    )
    _check_prices(settings)
    return settings.for_audit() if switch(config, "llmval-audit") else settings


def _check_prices(settings: Settings) -> None:
    """With a budget every version that costs something needs a price: an unknown one would switch the limit off.

    Raises:
        SettingsError: If one has none.
    """
    for model in (settings.candidate, settings.baseline):
        if settings.budget is None or model is None or model.is_free or settings.offline:
            continue
        if _price_of(model) is None:
            from pytest_llmval.errors import SettingsError

            msg = (
                f"--llmval-budget {settings.budget:g}: nobody knows what {model.name!r} costs; write input_price = … "
                f"and output_price = …, US dollars a million tokens, into [models.{model.name}]; 0 for one of your own"
            )
            raise SettingsError(msg)


def _price_of(model: ModelSettings) -> object:
    """The price of a version; None where nobody knows it."""
    from pytest_llmval.errors import ServerError, SettingsError
    from pytest_llmval.servers.opening import price_of

    try:
        return price_of(model)
    except ServerError as error:  # a library is missing
        raise SettingsError(str(error)) from error


def _config(config: pytest.Config) -> Config:
    from pytest_llmval.settings import Config, find_config, read_config

    named = text_option(config, "llmval-config")
    path = config.invocation_params.dir / named if named else find_config(search_starts(config))
    return read_config(path) if path else Config(working_folder=config.invocation_params.dir)


def _versions(config: pytest.Config, file: Config, store: Path) -> tuple[ModelSettings | None, ModelSettings | None]:
    from pytest_llmval.records.baseline_names import recorded_baselines, resolve_baseline, resolve_candidate

    recorded = recorded_baselines(file, store)
    candidate = _version(
        config, "model-version", file, file.default_model, partial(resolve_candidate, recorded=recorded)
    )
    baseline = _version(
        config, "baseline-version", file, file.default_baseline, partial(resolve_baseline, recorded=recorded)
    )
    if baseline and not candidate:
        from pytest_llmval.errors import SettingsError

        msg = f"--baseline-version {baseline.name!r} needs a version to compare with it: add --model-version NAME"
        raise SettingsError(msg)
    _check_recorded(baseline)
    return candidate, baseline


def _check_recorded(baseline: ModelSettings | None) -> None:
    """A recorded baseline that cannot be read stops before the first test."""
    if baseline and baseline.is_recorded:
        from pytest_llmval.records.baseline import read_baseline

        read_baseline(Path(baseline.model))


def _version(
    config: pytest.Config, option: str, file: Config, default: str | None, resolve: Callable[..., ModelSettings]
) -> ModelSettings | None:
    """The version an option names, else the one of `[defaults]`."""
    named = text_option(config, option)
    if named:
        return resolve(named, file, config.invocation_params.dir, f"--{option}")
    place = f"[defaults] {option.removesuffix('-version')} ="
    return resolve(default, file, file.folder, place) if default else None
