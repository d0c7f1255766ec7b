"""`llmval check MODEL` tells in a line a check what the contracts found."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture
def check(pytester):
    """A function that runs the command in an empty folder."""

    def run(*args):
        return subprocess.run(
            [sys.executable, "-P", "-c", "from pytest_llmval.cli.main import main; main()", "check", *map(str, args)],
            capture_output=True,
            text=True,
            check=False,
            cwd=pytester.path,
        )

    return run


def test_a_faulty_conversion(pytester, check, models):
    """A line for each of the 25 checks, the profiles, the whole message of the failure, the counts; no file is left."""
    pytester.makeini("[pytest]\naddopts = --nonsense")
    pytester.makepyfile(tokenizers="raise RuntimeError", conftest="raise RuntimeError")

    result = check(models / "v5", "--baseline", models / "v1", "--same-weights")

    lines = result.stdout.splitlines()
    assert result.returncode == 1
    assert result.stderr == ""
    assert [line for line in lines if line and line[0].islower()] == ["tokenizer", "chat template", "numerics"]
    assert "  ok       weights are finite" in lines
    assert "           profile of the tokenizer" in lines
    assert sum(line.startswith("  ok ") for line in lines) == 24
    (failed,) = [line for line in lines if line.startswith("  FAILED")]
    assert failed.startswith(
        "  FAILED   layers are those of the baseline           ModelRegression: layers.3.self_attn.q_proj is at fault"
    )
    details = lines.index("FAILED numerics: layers are those of the baseline")
    assert lines[details + 2].startswith("  float32 -> float32 on 4 prompts, 103 tokens")
    assert lines[-1].startswith("24 ok, 1 FAILED in ")
    assert sorted(path.name for path in pytester.path.iterdir()) == ["conftest.py", "tokenizers.py", "tox.ini"]


def test_a_folder_that_cannot_be_read(pytester, copied):
    """Every check of numbers says why; the whole message stands there once."""
    folder = copied("v1")
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).unlink()

    result = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-p", "pytest_llmval.contracts.reporting",
        "--pyargs", "pytest_llmval.contracts", f"--model-version={folder}",
    )  # fmt: skip

    lines = result.outlines
    assert result.ret == 75
    assert any(line.startswith("  ERROR    weights are finite ") for line in lines)
    assert any(line.startswith("  skipped  keeps what every tokenizer must ") for line in lines)
    assert [line for line in lines if line.startswith("ERROR ")] == ["ERROR numerics: weights are finite"]


def test_tests_that_cannot_be_collected(pytester):
    """The reason is told, and counted."""
    pytester.makepyfile("import no_such_module")

    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "pytest_llmval.contracts.reporting")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*ModuleNotFoundError: No module named 'no_such_module'", "", "1 ERROR in * s"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nowhere",
            "MODEL: unknown model version 'nowhere'; none is known (there is no llmval.toml); or give a model ",
        ),
        ("./nowhere", "MODEL './nowhere': no such folder, and no such name in [models] (there is no llmval.toml)"),
        ("empty", "MODEL 'empty': {path}/empty is no Hugging Face model: it has no config.json"),
        (
            "empty/notes.txt",
            "MODEL 'empty/notes.txt' is a file; expected the folder of a Hugging Face model, as 'empty'",
        ),
    ],
)
def test_what_is_no_model(pytester, check, name, message):
    """The command says what is wrong, without pytest."""
    (pytester.mkdir("empty") / "notes.txt").write_text("")

    result = check(name)

    assert result.returncode == 4
    assert result.stderr.startswith(f"llmval check: {message.format(path=pytester.path)}")
    assert result.stdout == ""
