"""A model version is a name from `[models]` or a folder."""

from pathlib import Path

import pytest

from pytest_llmval.errors import SettingsError
from pytest_llmval.settings import Config, ModelSettings, Settings, resolve_version


@pytest.fixture
def folder(tmp_path):
    """A function that makes a folder which looks like a model."""

    def make(name):
        path = tmp_path / name
        path.mkdir(parents=True)
        (path / "config.json").write_text("{}", encoding="utf-8")
        return path

    return make


def config_of(*models):
    """A configuration with these versions."""
    return Config(path=Path("/suite/llmval.toml"), models={model.name: model for model in models})


def settings_with(candidate, baseline, config=None, **fields):
    """Settings with two versions."""
    return Settings(config or Config(), candidate, baseline, Path("store"), Path("out"), "run", **fields)


def refusal(name, config=None, working_folder=Path("/nowhere")):
    """The text of the error."""
    with pytest.raises(SettingsError) as caught:
        resolve_version(name, config or Config(), working_folder, "--model-version")
    return str(caught.value)


def test_a_known_name(folder):
    """It goes before a folder of the same name."""
    folder("v1")
    known = ModelSettings(name="v1", model=str(folder("models/v1")))

    assert resolve_version("v1", config_of(known), Path("/"), "--model-version") is known


@pytest.mark.parametrize("given", ["models/v1", "./models/v1", "models/v1/", "models/v1/../v1"])
def test_a_folder(folder, tmp_path, given):
    """Relative to the working folder; it is called by its last part."""
    path = folder("models/v1")

    version = resolve_version(given, Config(), tmp_path, "--model-version")

    assert version == ModelSettings(name="v1", model=str(path))


def test_a_hub_id_from_the_file():
    """Only the server can tell whether it exists."""
    known = ModelSettings(name="small", model="owner/name")

    assert resolve_version("small", config_of(known), Path("/"), "--model-version").folder is None


def test_an_unknown_name():
    """The known ones, the nearest, the file and the other way."""
    config = config_of(ModelSettings(name="v1"), ModelSettings(name="v2"))

    assert refusal("v22", config) == (
        "--model-version: unknown model version 'v22'; did you mean 'v2'? known: 'v1', 'v2' in /suite/llmval.toml; "
        "or give a model folder"
    )


def test_an_unknown_name_without_a_file():
    """It is said that there is no file."""
    assert refusal("v1") == (
        "--model-version: unknown model version 'v1'; none is known (there is no llmval.toml); or give a model folder"
    )


@pytest.mark.parametrize("name", ["models/v9", "./v9"])
def test_a_missing_folder(name):
    """A path is not taken for a mistyped name."""
    assert refusal(name, config_of()) == (
        f"--model-version {name!r}: no such folder, and no such name in [models] in /suite/llmval.toml"
    )


def test_a_folder_that_is_no_model(tmp_path):
    """What is missing is named."""
    (tmp_path / "empty").mkdir()

    assert refusal("empty", working_folder=tmp_path) == (
        f"--model-version 'empty': {tmp_path / 'empty'} is no Hugging Face model: it has no config.json"
    )


def test_a_url():
    """It stands for the one model that is served there; its name shows no password."""
    model = resolve_version("http://me:secret@127.0.0.1:8000/v1", Config(), Path(), "--model-version")

    assert (model.name, model.server, model.model) == ("http://127.0.0.1:8000/v1", "openai", "")
    assert model.url == "http://me:secret@127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ({}, 'model = "…" is missing; give a folder or a hub id'),
        ({"model": "/no/such"}, "there is no folder /no/such"),
        ({"model": "./v1"}, "there is no folder ./v1"),
        ({"model": "models/v1"}, "there is no folder models/v1"),
        ({"model": "a/b/c"}, "there is no folder a/b/c"),
        ({"model": "owner/name", "adapter": "no/such"}, "there is no adapter folder no/such"),
        (
            {"server": "scripted", "answers": "no.jsonl"},
            "answers = 'no.jsonl' is no file; a scripted server reads its answers from JSON Lines",
        ),
        (
            {"server": "scripted"},
            "answers = None is no file; a scripted server reads its answers from JSON Lines",
        ),
    ],
)
def test_an_entry_that_cannot_be_loaded(model, problem):
    """Said before any test, not when the server starts."""
    assert refusal("v1", config_of(ModelSettings(name="v1", **model))) == f"--model-version 'v1': {problem}"


def test_shared_weights():
    """Declared by either side, by the command line, or the same version twice."""
    v1, v2 = ModelSettings(name="v1", model="a"), ModelSettings(name="v2", model="b")
    v5 = ModelSettings(name="v5", model="c", same_weights_as="v1")

    assert settings_with(v5, v1).weights_are_shared
    assert settings_with(v1, v5).weights_are_shared
    assert settings_with(v1, v1).weights_are_shared
    assert settings_with(v2, v1, same_weights=True).weights_are_shared
    assert not settings_with(v2, v1).weights_are_shared
    assert not settings_with(v1, None, same_weights=True).weights_are_shared


def test_two_folders_of_one_name_are_told_apart():
    """Servers and answers are kept by name: new/model would be compared with itself."""
    new, old = (ModelSettings(name="model", model=f"/exports/{each}/model") for each in ("new", "old"))

    settings = settings_with(new, old)

    assert (settings.candidate.name, settings.baseline.name) == ("new/model", "old/model")
    assert (settings.candidate.model, settings.baseline.model) == (new.model, old.model)
    assert not settings.weights_are_shared


def test_a_folder_does_not_take_the_name_of_a_known_version():
    """The name from the file stays with what the file describes."""
    known, folder = ModelSettings(name="v1", model="/a/v1", dtype="bfloat16"), ModelSettings(name="v1", model="/b/v1")

    settings = settings_with(folder, known, config_of(known))

    assert (settings.candidate.name, settings.baseline.name) == ("b/v1", "v1")


def test_one_folder_loaded_in_two_ways():
    """The folder of a known version, named by its path, has no other part to be told apart by."""
    known, folder = ModelSettings(name="v1", model="/a/v1", dtype="bfloat16"), ModelSettings(name="v1", model="/a/v1")

    settings = settings_with(folder, known, config_of(known))

    assert (settings.candidate.name, settings.baseline.name) == ("/a/v1", "v1")


def test_a_version_compared_with_itself_keeps_its_name():
    """As for measuring the suite's own false alarms."""
    version = ModelSettings(name="model", model="/a/model")

    settings = settings_with(version, version)

    assert settings.candidate == settings.baseline == version
