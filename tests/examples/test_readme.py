"""The code of the README runs."""

import re
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.models

ROOT = Path(__file__).parents[2]


def code_block(start):
    """The Python block of the README that begins with this line."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(start)]
    return found


def test_the_suite_of_the_readme(pytester):
    """Case sets, gate and sampling work as written; facts and quiz depend on the model and are only collected."""
    shutil.copytree(ROOT / "example_suites" / "data", pytester.path / "data")
    suite = (
        code_block("from pytest_llmval import assert_at_least")
        + "\n\n"
        + code_block("from pytest_llmval import scored")
    )
    pytester.makepyfile(test_readme=suite)
    config = ROOT / "example_suites" / "llmval.toml"

    result = pytester.runpytest_subprocess(
        f"--llmval-config={config}",
        "--llmval-store=store",
        "--model-version=v1",
        "--baseline-version=v1",
        "-k=do_not_regress or reproducible",
    )

    result.assert_outcomes(passed=2, deselected=301)


def test_the_repeated_test_of_the_readme(pytester):
    """v1 knows its return window; the verdict stands before the fortieth trial."""
    pytester.makepyfile(test_readme=code_block("import pytest\n"))
    config = ROOT / "example_suites" / "llmval.toml"

    result = pytester.runpytest_subprocess(f"--llmval-config={config}", "--llmval-store=store", "--model-version=v1")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["test_readme.py::test_names_the_return_window *bar 0.800*reached"])
