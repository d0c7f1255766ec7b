"""The suites of docs/answers.md run as they stand there."""

import re
import shutil
from pathlib import Path

import pytest

pytestmark = [pytest.mark.models, pytest.mark.examples]

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "answers.md").read_text(encoding="utf-8"), re.DOTALL)


def test_each_suite_passes(pytester):
    """V1 against itself: what is said to hold holds, and golden files are written and read."""
    shutil.copytree(ROOT / "example_suites" / "data", pytester.path / "data")
    pytester.makepyfile(**{f"test_{number}": block for number, block in enumerate(BLOCKS)})
    config = ROOT / "example_suites" / "llmval.toml"
    command = (
        f"--llmval-config={config}",
        "--llmval-store=store",
        "--model-version=v1",
        "--baseline-version=v1",
        "-rA",
    )

    written = pytester.runpytest_subprocess(*command, "--snapshot-update")
    read = pytester.runpytest_subprocess(*command, "test_1.py", "--llmval-offline")

    written.assert_outcomes(passed=38)
    written.stdout.fnmatch_lines(["*: white_space changes the answer (* questions asked)"])
    read.assert_outcomes(passed=31)


def test_every_name_that_the_page_shows_is_public():
    """Functions and classes in code spans of its tables can be imported."""
    import pytest_llmval
    from pytest_llmval import strategies

    page = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z]\w*_\w+|[A-Z]\w+)\(", page)) - {"SCHEMA"}

    assert len(named) > 15
    assert [name for name in named if not hasattr(pytest_llmval, name) and not hasattr(strategies, name)] == []
