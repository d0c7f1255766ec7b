"""The `golden` fixture as users see it: writing, comparing, accepting and deleting, serial and over workers."""

import json

import pytest
import torch  # noqa: F401 - a second run in this process that imports it anew would end the process

import pytest_llmval.fixtures.goldens.assertion  # noqa: F401 - and one that imports this anew would have two kinds of Tol

QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:rerunfailures")

SUITE = """
import json
from pathlib import Path

import numpy as np
from pytest_llmval import Tol

given = json.loads(Path(__file__).with_name("given.json").read_text())
hidden = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
hidden[2, 3] += given["error"]

def test_hidden(golden):
    assert hidden == golden

def test_nested(golden):
    state = {"layers": [hidden, hidden[0]], "kind": "llama"}
    assert state == golden(tol=Tol(rtol=1e-3, atol=1e-4))
    assert golden(name="row", tier="fingerprint") == hidden[2]
"""
ROW = '    assert golden(name="row", tier="fingerprint") == hidden[2]\n'


@pytest.fixture
def suite(pytester, monkeypatch):
    """A module with three goldens in two tests, and the error in its tensors."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # the inner run is nobody's worker

    class Suite:
        path = pytester.path

        def write(self, text=SUITE, error=0.0, name="test_a", **given):
            pytester.makepyfile(**{name: text})
            (pytester.path / "given.json").write_text(json.dumps({"error": error, **given}))

        def run(self, *args, error=None, **given):
            if error is not None or given:
                (pytester.path / "given.json").write_text(json.dumps({"error": error or 0.0, **given}))
            return pytester.runpytest(*QUIET, *args)

        def file(self, test, module="test_a"):
            return pytester.path / "__snapshots__" / module / f"{test}.safetensors"

        @property
        def files(self):
            return {path.stem: path.read_bytes() for path in pytester.path.rglob("__snapshots__/*/*")}

    made = Suite()
    made.write()
    return made


def test_a_missing_golden_fails(suite, distribution):
    """V6: no test passes without a reference, syrupy counts it, and nothing is written."""
    result = suite.run(*distribution)

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E * InvalidComparison: there is no golden 'test_hidden' in *test_hidden.safetensors: nothing was compared",
            "E * look at the values, then write it by: pytest --snapshot-update test_a.py::*",
            "2 snapshots failed.*",
        ]
    )
    assert not suite.files


def test_update_writes_what_later_runs_compare_with(suite, distribution):
    """One file a test; a run without changes passes, and an update without changes leaves every byte."""
    written = suite.run("--snapshot-update", *distribution)
    before = suite.files
    compared = suite.run(*distribution)
    suite.run("--snapshot-update", *distribution)

    written.assert_outcomes(passed=2)
    written.stdout.fnmatch_lines(["3 snapshots generated.*"])
    compared.assert_outcomes(passed=2)
    compared.stdout.fnmatch_lines(["3 snapshots passed."])
    assert compared.ret == 0
    assert set(before) == {"test_hidden", "test_nested"}
    assert suite.files == before


def test_a_changed_tensor_fails_with_one_readable_message(suite, distribution):
    """What differs, then where the golden lies, who wrote it, in which environment and tier, and how to accept it."""
    suite.run("--snapshot-update")

    result = suite.run(*distribution, error=0.5)

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E * ModelRegression: the tensor (6, 8) float32 fails (golden, full, *): 1 of 48 elements beyond *",
            "E * worst |Δ| 0.5 at [[]2, 3]: expected * -> actual * ULP of float32)",
            "E * golden 'test_hidden' in __snapshots__/test_a/test_hidden.safetensors",
            "E * written 20*+00:00 by pytest-llmval *; version: no model version named",
            "E * environment: this one (device cpu, machine *, torch *)",
            "E * tier full, every bit is kept",
            "E * to accept the new values: pytest --snapshot-update test_a.py::test_hidden",
            "test_a.py:*: ModelRegression",
        ]
    )
    text = result.stdout.str()
    assert text.count("to accept the new values: pytest --snapshot-update test_a.py::test_hidden") == 1
    assert "tensor(" not in text
    assert "array(" not in text
    assert "assertion.py" not in text


MIXED = """
import json
from pathlib import Path

import numpy as np
from pytest_llmval import Tol

given = json.loads(Path(__file__).with_name("given.json").read_text())

def test_step(golden):
    hidden = np.linspace(1, 2, 40, dtype=np.float32) * np.float32(1 + given["error"])
    assert {"hidden": hidden, "ids": np.array([3, given["token"]])} == golden(tol=Tol(rtol=1e-3))
"""


def test_one_tolerance_for_floats_and_token_ids(suite, distribution):
    """It is for the floats; a wrong token fails, and the message does not offer a tolerance that would pass."""
    suite.write(MIXED, token=400)
    suite.run("--snapshot-update")

    near, wrong = (suite.run(*distribution, error=2e-4, token=token) for token in (400, 401))

    near.assert_outcomes(passed=1)
    wrong.assert_outcomes(failed=1)
    wrong.stdout.fnmatch_lines(
        [
            "E * ModelRegression: 1 of 2 tensors fail (*), worst 'ids': 1 of 2 elements differ (50 %)",
            "E * integers beside floating-point tensors must be equal: a tolerance is for those; in a golden of *",
        ]
    )
    wrong.stdout.no_fnmatch_line("*would pass*")


def test_update_accepts_a_change_and_touches_nothing_else(suite):
    """Only the goldens that no longer agree are rewritten."""
    suite.write(SUITE.replace("hidden[2]", "hidden[0]"))
    suite.run("--snapshot-update")

    result = suite.run("--snapshot-update", error=0.5)

    result.stdout.fnmatch_lines(["1 snapshot passed. 2 snapshots updated."])
    suite.run().assert_outcomes(passed=2)


def test_update_of_new_ones_only_changes_none(suite):
    """As syrupy users know it."""
    suite.run("--snapshot-update", "-k", "hidden")

    result = suite.run("--snapshot-update-new-only", error=0.5)

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["1 snapshot failed. 2 snapshots generated."])


EITHER_SIDE = """
import dataclasses
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch

Pair = namedtuple("Pair", "left right")

@dataclasses.dataclass
class Output:
    logits: object

VALUES = {
    "array": np.ones((2, 3)), "scalar": np.float32(2), "torch": torch.ones(2, 3),
    "parameter": torch.nn.Parameter(torch.ones(3)), "list": [1.0, 2.0], "tuple": (torch.ones(2), [1]), "number": 2.5,
    "dict": OrderedDict(a=torch.ones(2)), "named": Pair(np.ones(2), np.zeros(2)), "dataclass": Output(torch.ones(2)),
    "structured": {"a": {"b": [torch.ones(1)]}},
}

@pytest.mark.parametrize("kind", VALUES)
def test_left(golden, kind):
    assert VALUES[kind] == golden

@pytest.mark.parametrize("kind", VALUES)
def test_right(golden, kind):
    assert golden == VALUES[kind]
"""


def test_every_kind_of_value_defers_to_the_golden_on_either_side(suite):
    """NumPy would compare element by element, torch would refuse; each is compared as one, once."""
    suite.write(EITHER_SIDE)

    written, compared = suite.run("--snapshot-update"), suite.run()

    written.stdout.fnmatch_lines(["22 snapshots generated."])
    compared.assert_outcomes(passed=22)
    compared.stdout.fnmatch_lines(["22 snapshots passed."])


def test_a_large_tensor_is_never_printed(suite):
    """Nor when its golden is missing or differs: pytest would spend minutes and pages on it."""
    text = """
        import json, torch
        from pathlib import Path

        def test_large(golden):
            error = json.loads(Path("given.json").read_text())["error"]
            assert torch.arange(400_000.0) + error == golden
    """
    suite.write(text)

    missing, written, failed = suite.run("-vv"), suite.run("--snapshot-update"), suite.run("-vv", error=1e6)

    written.assert_outcomes(passed=1)
    assert suite.file("test_large").stat().st_size < 8192  # a fingerprint
    for result in (missing, failed):
        result.assert_outcomes(failed=1)
        assert "tensor(" not in result.stdout.str()
        assert len(result.outlines) < 60
    failed.stdout.fnmatch_lines(["E * ModelRegression: the tensor (400000,) float32 fails (golden, fingerprint*"])


ELSEWHERE = """
import json
from pathlib import Path

import numpy as np

given = json.loads(Path(__file__).with_name("given.json").read_text())

def test_attention(golden):
    hidden = np.linspace(1, 2, 40, dtype=np.float32) * np.float32(1 + given["error"])
    assert hidden == golden(environment={"attention": given["attention"]})
"""


def test_a_golden_of_another_environment_is_named_and_not_taken_silently(suite, distribution):
    """It is compared under a wider tolerance, which the summary says when it passes and the message when it fails."""
    suite.write(ELSEWHERE, attention="eager")
    suite.run("--snapshot-update")

    passed = suite.run(*distribution, attention="sdpa", error=2e-5)
    failed = suite.run(attention="sdpa", error=2e-3)
    at_home = suite.run(attention="eager", error=2e-5)

    passed.assert_outcomes(passed=1)
    passed.stdout.fnmatch_lines(
        ["1 golden of another environment passed, under its wider tolerance (attention eager -> sdpa); *"]
    )
    failed.assert_outcomes(failed=1)
    failed.stdout.fnmatch_lines(
        [
            "E * ModelRegression: * (golden of another environment, full, *): rel-L2 0.002, allowed 0.0001",
            "E * environment: another one: attention eager -> sdpa; none of this environment is kept",
        ]
    )
    at_home.assert_outcomes(failed=1)
    at_home.stdout.no_fnmatch_line("*of another environment*")


def test_update_in_a_new_environment_adds_its_golden_and_keeps_the_others(suite, distribution):
    """Both are then compared exactly, each in its own."""
    suite.write(ELSEWHERE, attention="eager")
    suite.run("--snapshot-update")

    added = suite.run("--snapshot-update", *distribution, attention="sdpa", error=2e-3)

    added.stdout.fnmatch_lines(["1 snapshot generated."])
    suite.run(attention="sdpa", error=2e-3).assert_outcomes(passed=1)
    suite.run(attention="eager").assert_outcomes(passed=1)
    suite.run(attention="sdpa").assert_outcomes(failed=1)
    suite.run(attention="eager", error=2e-3).assert_outcomes(failed=1)


def test_a_damaged_file_fails_and_is_not_replaced(suite):
    """With what is wrong with it, and what to do."""
    suite.run("--snapshot-update")
    file = suite.file("test_hidden")
    file.write_bytes(file.read_bytes()[:-3])

    for result in (suite.run("-k", "hidden"), suite.run("-k", "hidden", "--snapshot-update")):
        result.assert_outcomes(failed=1, deselected=1)
        result.stdout.fnmatch_lines(
            [
                "E * InvalidComparison: the golden file *test_hidden.safetensors cannot be read: 189 bytes of *",
                "E * restore it, or delete it and write it anew by: pytest --snapshot-update test_a.py::test_hidden",
                "1 snapshot failed.*",
            ]
        )
    assert len(file.read_bytes()) % 8 == 5


def test_unused_goldens_are_reported_and_deleted_on_update(suite, distribution):
    """A test that is gone, and an assertion that is gone from a test that is not."""
    suite.run("--snapshot-update")
    suite.write(SUITE.replace("def test_hidden", "def check_hidden").replace(ROW, ""))

    reported = suite.run(*distribution)
    deleted = suite.run("--snapshot-update", *distribution)

    assert reported.ret == 1
    reported.stdout.fnmatch_lines(["1 snapshot passed. 2 snapshots unused."])
    deleted.stdout.fnmatch_lines(["1 snapshot passed. 2 unused snapshots deleted."])
    assert set(suite.files) == {"test_nested"}
    suite.run(*distribution).stdout.fnmatch_lines(["1 snapshot passed."])


def test_a_damaged_file_of_a_test_that_is_gone_is_deleted(suite):
    """On update, like any other that nothing uses."""
    suite.run("--snapshot-update")
    suite.file("test_hidden").write_bytes(b"")
    suite.write(SUITE.replace("def test_hidden", "def check_hidden"))

    result = suite.run("--snapshot-update")

    result.stdout.fnmatch_lines(["2 snapshots passed. 1 unused snapshot deleted."])
    assert set(suite.files) == {"test_nested"}


def test_goldens_of_tests_that_did_not_run_stay(suite, distribution):
    """Deselected or skipped, also with --snapshot-update."""
    suite.run("--snapshot-update")
    before = suite.files
    skipped = SUITE.replace("def test_nested", "import pytest\n\n@pytest.mark.skip\ndef test_nested")

    deselected = suite.run("--snapshot-update", "-k", "hidden", *distribution)
    suite.write(skipped)
    left_out = suite.run("--snapshot-update", *distribution)

    for result in (deselected, left_out):
        assert result.ret == 0
        result.stdout.fnmatch_lines(["1 snapshot passed."])
    assert suite.files == before


def test_parametrised_tests_have_a_file_each(suite, distribution):
    """Names that coincide without the characters that no file name may have share a file, and lose nothing."""
    text = """
        import numpy as np, pytest

        @pytest.mark.parametrize("value", [1.0, 2.0, 3.0, 4.0], ids=["a/b", "ab", "a:b", "x"])
        class TestRows:
            def test_row(self, golden, value):
                assert np.full(3, value) == golden
    """
    suite.write(text)

    suite.run("--snapshot-update", *distribution)
    result = suite.run(*distribution)

    result.stdout.fnmatch_lines(["4 snapshots passed."])
    assert set(suite.files) == {"TestRows.test_row[ab]", "TestRows.test_row[x]"}


def test_text_snapshots_of_syrupy_live_beside_goldens(suite):
    """Neither takes the other's files for its own."""
    suite.write(SUITE + "\ndef test_text(snapshot):\n    assert 'an answer' == snapshot\n")
    suite.run("--snapshot-update")

    again = suite.run("--snapshot-update")

    again.assert_outcomes(passed=3)
    again.stdout.fnmatch_lines(["4 snapshots passed."])
    assert (suite.path / "__snapshots__" / "test_a.ambr").exists()


WRONG = """
import numpy as np
from pytest_llmval import Tol

def test_text(golden):
    assert {"a": "an answer"} == golden

def test_empty(golden):
    assert np.zeros((0, 3)) == golden

def test_nan(golden):
    assert np.array([1.0, np.nan]) == golden

def test_unreachable(golden):
    assert np.array([1.0], dtype=np.float32) == golden(tol=Tol(rtol=1e-9))

def test_noise(golden):
    assert np.linspace(1, 2, 10) == golden(tol=Tol(rtol=1e-5), tier="half")

def test_tier(golden):
    assert np.ones(3) == golden(tier="huge")

def test_number(golden):
    assert np.ones(3) == golden(tol=1e-3)

def test_unequal(golden):
    assert np.ones(3) != golden

def test_alone(golden):
    assert golden
"""


def test_what_cannot_become_a_golden_says_why_and_writes_nothing(suite):
    """Also with --snapshot-update: each such golden could never pass, or never fail."""
    suite.write(WRONG)

    result = suite.run("--snapshot-update")

    result.assert_outcomes(failed=9)
    result.stdout.fnmatch_lines(
        [
            "E * TypeError: golden compares answers and tensors, and this value is neither: dict *",
            "E * InvalidComparison: the tensor of shape (0, 3) has no elements: a golden of it could never pass",
            "E * InvalidComparison: no golden was written, since not even this value would agree with it: *NaN*",
            "E * ValueError: the tolerance (rtol 1e-09) cannot be met: *",
            "E * ValueError: the tensor: the tolerance (rtol 1e-05) allows * the golden's own noise floor *",
            "E * ValueError: tier='huge'; expected one of 'auto', 'fingerprint', 'slices', 'half', 'logits', 'full'",
            "E * TypeError: tol=0.001; expected a Tol, for example tol=Tol(rtol=1e-3)",
            "E * TypeError: golden != value shows nothing: any fault would pass; write `assert value == golden`",
            "E * TypeError: a golden by itself is neither true nor false; write `assert value == golden`",
        ]
    )
    assert not suite.files


def test_another_tier_than_the_golden_has_fails_until_it_is_updated(suite):
    """A test that asks for every bit is not content with a fingerprint."""
    suite.run("--snapshot-update")
    suite.write(SUITE.replace('"fingerprint"', '"full"'))

    failed, updated = suite.run("-k", "nested"), suite.run("-k", "nested", "--snapshot-update")

    failed.stdout.fnmatch_lines(
        ["E * InvalidComparison: the golden is kept in tier 'fingerprint', and the test asks for 'full'"]
    )
    updated.stdout.fnmatch_lines(["1 snapshot passed. 1 snapshot updated."])


def test_a_full_disk_fails_the_test_and_leaves_no_half_file(suite):
    """With the system's reason."""
    (suite.path / "conftest.py").write_text(
        "import os, pytest\n\n@pytest.fixture(autouse=True)\ndef full(monkeypatch):\n"
        "    def fail(fd):\n        raise OSError(28, 'No space left on device')\n"
        "    monkeypatch.setattr(os, 'fsync', fail)\n"
    )

    result = suite.run("--snapshot-update", "-k", "hidden")

    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        ["E *StoreUnwritable: the golden *test_hidden.safetensors cannot be written: No space *"]
    )
    assert not suite.files


def test_without_syrupy_the_fixture_says_so(suite):
    """Instead of an attribute error."""
    result = suite.run("-p", "no:syrupy", "-k", "hidden")

    result.stdout.fnmatch_lines(["*the fixture 'golden' needs the pytest plugin syrupy, which is switched off"])


ANSWERS = """
import numpy as np
from pytest_llmval import cases

qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")

@qa.all
def test_lengths(responses, golden):
    assert np.array([len(each.text) for each in responses]) == golden

def test_nothing_of_a_model(golden):
    assert np.ones(3) == golden
"""


def test_a_golden_belongs_to_the_version_that_wrote_it(shop):
    """Any version is compared with it, and a failure names both; a test that asks no model has no version."""
    shop.pytester.makepyfile(test_qa=ANSWERS)
    shop.add_version("worse", wrong=range(12, 15))  # "it is 12" is longer than "no idea"

    shop.run("--snapshot-update", versions=("old",))
    same = shop.run(versions=("new",))
    other = shop.run(versions=("worse",))

    same.assert_outcomes(passed=2)
    other.assert_outcomes(passed=1, failed=1)
    other.stdout.re_match_lines([r".*version: old \(fingerprint \w{12}\) -> worse \(fingerprint \w{12}\)"])


def test_an_update_with_a_failing_test_deletes_nothing(suite, pytester):
    """The golden of a test that failed before it came to it is in use all the same."""
    suite.run("--snapshot-update")
    before = suite.files
    pytester.makepyfile(test_b="def test_broken(): raise RuntimeError")

    result = suite.run("--snapshot-update", "-x", "test_b.py", "test_a.py")

    result.stdout.fnmatch_lines(["unused goldens and snapshots were kept: not every test passed, so one may be in use"])
    result.stdout.no_fnmatch_line("*unused snapshots deleted*")
    assert suite.files == before
