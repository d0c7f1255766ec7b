"""What is wrong in options and settings stops pytest before any test, with a message that helps."""

import pytest


def refused(result, *lines):
    """The run ended as a usage error and said this."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{line}*" for line in lines])
    result.stdout.no_fnmatch_line("*passed*")


def test_an_unknown_version_names_the_nearest(shop, distribution):
    """A mistyped version lists the known ones and suggests the nearest."""
    result = shop.run(*distribution, versions=("neww",))

    refused(result, "--model-version: unknown model version 'neww'; did you mean 'new'? known: 'new', 'old'")


def test_an_unknown_baseline_is_refused_too(shop):
    """The baseline's option is named in its own message."""
    refused(shop.run(versions=("new", "odl")), "--baseline-version: unknown model version 'odl'; did you mean 'old'?")


def test_a_missing_folder_is_named(shop):
    """A path that does not exist is not taken for a name."""
    refused(shop.run(versions=("models/v9",)), "--model-version 'models/v9': no such folder")


def test_a_folder_that_is_no_model_is_refused(shop):
    """A folder without config.json is no Hugging Face model."""
    (shop.path / "empty").mkdir()

    refused(shop.run(versions=("empty",)), "*empty is no Hugging Face model: it has no config.json")


def test_broken_toml_is_named_with_its_place(shop):
    """The parser's line and column are passed on."""
    (shop.path / "llmval.toml").write_text("[models.new\n", encoding="utf-8")

    refused(shop.run(), "llmval.toml: not valid TOML: *line 1*")


def test_broken_toml_stops_a_run_without_a_version_too(shop, distribution):
    """A settings file that cannot be read is never skipped over in silence."""
    (shop.path / "llmval.toml").write_text("models = 3\n", encoding="utf-8")

    refused(shop.run(*distribution, versions=()), "llmval.toml: models = 3; expected a table [[]models[]]")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('sever = "x"', "unknown key 'sever'; did you mean 'server'?"),
        ('server = "vlm"', "unknown server 'vlm'"),
        ('dtype = "float31"', "unknown dtype 'float31'; did you mean 'float32'?"),
        ("threads = 0", "threads = 0; expected a whole number of at least 1"),
        ("model = 3", "model = 3; expected text"),
    ],
)
def test_a_wrong_key_or_value_is_named(shop, line, message):
    """Settings are checked when read, with the table they stand in."""
    with (shop.path / "llmval.toml").open("a") as config:
        config.write(f"[models.other]\n{line}\n")

    refused(shop.run(), f"llmval.toml [[]models.other[]]: {message}")


def test_a_baseline_alone_is_refused(shop):
    """There must be something to compare."""
    result = shop.run("--baseline-version=old", versions=())

    refused(result, "--baseline-version 'old' needs a version to compare with it: add --model-version NAME")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--llmval-seed=x", "--llmval-seed 'x': expected a whole number of at least 0"),
        ("--llmval-trials=0", "--llmval-trials '0': expected a whole number of at least 1"),
        ("--llmval-config=no.toml", "--llmval-config *no.toml: no such file"),
    ],
)
def test_a_wrong_option_value_is_named(shop, option, message):
    """The message carries the option, the value and the rule."""
    refused(shop.run(option), message)


def test_the_environment_and_the_ini_file_are_read(shop, monkeypatch):
    """Command line over environment over ini."""
    shop.pytester.makeini("[pytest]\nllmval_model_version = old\nllmval_store = from-ini")
    monkeypatch.setenv("LLMVAL_STORE", "from-env")

    shop.run("-k", "each", versions=()).assert_outcomes(passed=60, deselected=1)
    shop.run("-k", "each", "--llmval-store=from-line", versions=()).assert_outcomes(passed=60, deselected=1)

    assert (shop.path / "from-env" / "runs").is_dir()
    assert (shop.path / "from-line" / "runs").is_dir()
    assert not (shop.path / "from-ini").exists()


def test_a_switch_that_is_neither_true_nor_false_is_refused(shop, monkeypatch):
    """An environment variable with a typo does not turn strictness off in silence."""
    monkeypatch.setenv("LLMVAL_STRICT", "ja")

    refused(shop.run(), "LLMVAL_STRICT='ja': expected true or false")


def test_settings_are_found_above_the_tests(shop):
    """`llmval.toml` is looked for upward from the first test path, and dataset paths start at the test file."""
    folder = shop.path / "suite" / "deep"
    folder.mkdir(parents=True)
    for name in ("qa.jsonl", "test_qa.py"):
        (shop.path / name).rename(folder / name)

    shop.run("suite/deep").assert_outcomes(passed=61)


def test_settings_in_pyproject(shop):
    """`[tool.llmval]` of a pyproject.toml serves as well."""
    text = (shop.path / "llmval.toml").read_text(encoding="utf-8").replace("[models.", "[tool.llmval.models.")
    (shop.path / "llmval.toml").unlink()
    (shop.path / "pyproject.toml").write_text(text, encoding="utf-8")

    shop.run().assert_outcomes(passed=61)


def test_options_stand_in_one_group_of_the_help(shop):
    """`pytest --help` shows them together."""
    result = shop.run("--help", versions=())

    result.stdout.fnmatch_lines(
        ["regression testing of language models (pytest-llmval):", "*--model-version*, --llmval-model-version*"]
    )
