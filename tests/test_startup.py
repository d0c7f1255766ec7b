"""A suite that never asks for a model pays nothing for the plugin."""

import json
import sys

HEAVY = ("numpy", "scipy", "torch", "transformers", "filelock", "click", "rouge_score", "httpx", "jinja2", "tomllib")

PYTESTERS_OWN = ("__pycache__", "stdout", "stderr", "runpytest-0", "runpytest-current")

PROBE = f"""
import json, sys
from pathlib import Path

def test_unrelated():
    assert 1 + 1 == 2

def test_modules():
    loaded = sorted(name for name in sys.modules if name.split(".")[0] in {HEAVY!r} or name.startswith("pytest_llmval"))
    Path("modules.json").write_text(json.dumps(loaded))
"""


def test_an_unrelated_suite_finds_no_import_no_folder_no_output(pytester):
    """Loading the plugin imports the standard library and pytest, makes no folder and prints nothing."""
    pytester.makepyfile(test_probe=PROBE)

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest")

    result.assert_outcomes(passed=2)
    loaded = json.loads((pytester.path / "modules.json").read_text())
    assert "pytest_llmval.plugin" in loaded, "the plugin was not loaded: nothing was tested"
    assert not [name for name in loaded if name.split(".")[0] in HEAVY]
    assert {name.split(".")[1] for name in loaded if "." in name} == {
        "current",
        "errors",
        "fixtures",
        "hooks",
        "plugin",
        "stash",
    }
    assert not [line for line in result.outlines if "llmval" in line and not line.startswith("plugins:")]
    made = {path.name for path in pytester.path.iterdir() if path.name not in PYTESTERS_OWN}
    assert made == {"modules.json", "test_probe.py"}


def test_an_unrelated_suite_pays_nothing_under_xdist(pytester):
    """The controller loads nothing for it either."""
    pytester.makepyfile("def test_unrelated():\n    pass")
    pytester.makeconftest(
        f"""
        import sys

        def pytest_terminal_summary(terminalreporter):
            heavy = {{name.split(".")[0] for name in sys.modules}} & set({HEAVY!r})
            terminalreporter.write_line(f"heavy modules: {{sorted(heavy)}}")
        """
    )

    result = pytester.runpytest_subprocess("-n", "1", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")

    result.stdout.fnmatch_lines(["heavy modules: [[][]]"])


def test_importing_the_package_loads_neither_numpy_nor_torch(pytester):
    """Public names are loaded on first use."""
    result = pytester.run(
        sys.executable,
        "-c",
        "import pytest_llmval, sys; assert not {'numpy', 'torch', 'pytest'} & set(sys.modules); pytest_llmval.cases",
    )

    assert result.ret == 0


def test_the_plugin_can_be_switched_off(pytester):
    """`-p no:llmval` removes options and fixtures."""
    pytester.makepyfile("def test_llm(llm): pass")

    result = pytester.runpytest_subprocess("-p", "no:llmval")

    result.stdout.fnmatch_lines(["*fixture 'llm' not found"])
