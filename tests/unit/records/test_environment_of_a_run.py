"""What a number may depend on besides the model."""

import json
import platform
import subprocess

import pytest

from pytest_llmval.records.environment import describe_environment, git_revision, library_versions, resolve_device


def test_the_environment_is_json():
    """It is written into the manifest."""
    described = describe_environment()

    assert json.loads(json.dumps(described)) == described
    assert described["python"] == platform.python_version()
    assert described["libraries"]["pytest"] == pytest.__version__


def test_a_library_that_is_not_installed():
    """It is listed without a version."""
    assert library_versions(("pytest", "no-such-library")) == {"pytest": pytest.__version__, "no-such-library": None}


def test_the_revision_of_a_working_tree(tmp_path):
    """The whole commit, and whether tracked files were changed since."""

    def git(*words):
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    git("init", "--quiet")
    (tmp_path / "file").write_text("a", encoding="utf-8")
    git("add", "file")
    git("commit", "--quiet", "-m", "One")
    commit = git("rev-parse", "HEAD").strip()
    git("tag", "-a", "v1", "-m", "v1")

    assert git_revision(tmp_path) == commit

    (tmp_path / "file").write_text("b", encoding="utf-8")
    assert git_revision(tmp_path) == f"{commit}-dirty"


def test_no_revision(tmp_path, monkeypatch):
    """Outside a repository, and without git."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_revision(tmp_path) is None

    monkeypatch.setenv("PATH", "")
    assert git_revision(tmp_path) is None


def test_a_named_device_is_taken_as_named():
    """No library is asked for it."""
    assert resolve_device("cuda:1") == "cuda:1"
