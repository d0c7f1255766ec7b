"""`llmval init MODEL` writes a first suite, and the command it prints works."""

import shlex

import pytest
from click.testing import CliRunner

from pytest_llmval.cli.main import main

pytestmark = pytest.mark.models


@pytest.fixture
def model(request):
    """The folder of a trained model."""
    return request.config.rootpath / "example_suites" / "models" / "v1"


def test_the_printed_command_runs_and_passes(pytester, model):
    """Ten cases and one gate: both versions are the same model, so nothing may be found."""
    made = CliRunner().invoke(main, ["init", str(model)])

    command = shlex.split(made.output.splitlines()[-1])
    assert command[0] == "pytest"
    result = pytester.runpytest_subprocess(*command[1:], "-p", "no:cacheprovider")
    result.assert_outcomes(passed=11)
    result.stdout.fnmatch_lines(["SHOWN: baseline -> candidate, 1 gate: equivalent"])


def test_existing_files_are_not_overwritten(pytester, model):
    """A second call says what is there, and how to overwrite it."""
    CliRunner().invoke(main, ["init", str(model)])

    again = CliRunner().invoke(main, ["init", str(model)])
    forced = CliRunner().invoke(main, ["init", str(model), "--force"])

    assert again.exit_code == 4
    assert "llmval.toml, questions.jsonl, test_first.py already there" in again.stderr
    assert "--force" in again.stderr
    assert forced.exit_code == 0


def test_a_folder_of_its_own(pytester, model):
    """The model's path in `llmval.toml` is relative to that file."""
    made = CliRunner().invoke(main, ["init", str(model), "--folder", "suites/first"])

    assert "cd suites/first && pytest" in made.output
    result = pytester.runpytest_subprocess("suites/first", "--model-version=candidate", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=10, skipped=1)


@pytest.mark.parametrize("name", [".", "./nothing", "/nowhere/at/all"])
def test_what_is_no_model_is_refused(pytester, name):
    """The folder is named, and nothing is written."""
    made = CliRunner().invoke(main, ["init", name])

    assert made.exit_code == 4
    assert "llmval init:" in made.stderr
    assert not (pytester.path / "llmval.toml").exists()
