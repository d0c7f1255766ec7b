"""`llmval lock` pins the data of a suite; a run on other data stops until they are locked anew."""

import json
import re
import subprocess
import sys

import pytest

N = 60


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch):
    """These tests may run in CI, where nothing is locked."""
    for variable in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def lock(shop):
    """A function that runs the command in the folder of the suite, or in one below."""

    def run(*arguments, folder="."):
        command = [sys.executable, "-P", "-c", "from pytest_llmval.cli.main import main; main()", "lock", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=shop.path / folder)

    return run


@pytest.fixture
def locked(shop):
    """The shop after its data were locked, in the process of the test."""
    assert shop.run("--llmval-lock", versions=()).ret == 0
    return shop


def add_case_set(shop):
    """A second suite with data of its own, `more`."""
    shop.write_lines("more.jsonl", [{"id": "m", "question": "what is 1"}])
    shop.pytester.makepyfile(
        test_more="""
        from pytest_llmval import cases
        more = cases("more.jsonl", prompt="{question}")

        @more.each
        def test_more(response):
            assert response.text
        """
    )


def change(shop):
    """Another answer to question 7: one character of the dataset."""
    path = shop.path / "qa.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"it is 7"', '"it is x"'), encoding="utf-8")


def entries(folder):
    """Source, name and size of all that is locked."""
    pins = json.loads((folder / "llmval.lock").read_text(encoding="utf-8"))["case_sets"]
    return [(pin["source"], pin["name"], pin["cases"]) for pin in pins]


def stopped(distribution):
    """Exit status of a collection that failed: pytest-xdist 3.8 ends with 1."""
    return pytest.ExitCode.TESTS_FAILED if distribution else pytest.ExitCode.INTERRUPTED


def test_data_that_changed_stop_the_run_until_they_are_locked_anew(locked, lock, distribution):
    """One character is enough; the run names file, hashes, sizes and the command, and asks no model."""
    change(locked)

    refused = locked.run(*distribution)
    assert not (locked.path / ".llmval").exists()
    accepted = lock()
    result = locked.run(*distribution)

    difference = accepted.stdout.splitlines()[0]
    assert re.fullmatch(r"changed  qa\.jsonl: qa@[0-9a-f]{8}, 60 cases -> qa@[0-9a-f]{8}, 60 cases", difference)
    assert refused.ret == stopped(distribution)
    refused.assert_outcomes(errors=1)
    refused.stdout.fnmatch_lines(
        [
            "*ERROR collecting test_qa.py*",
            "the data are not those that llmval.lock pins; no model was asked",
            f"    {difference}",
            "If this is meant, accept it with `llmval lock` and commit llmval.lock.",
            "CI must not lock: it would accept whatever it is given.",
        ]
    )
    result.assert_outcomes(passed=N, failed=1)


def test_tests_on_data_that_did_not_change_do_not_run_either(locked, distribution):
    """Workers of pytest-xdist go on after a collection error, and so does pytest when it is told to."""
    locked.pytester.makepyfile(test_free="def test_free():\n    pass")
    change(locked)

    result = locked.run(*distribution, "--continue-on-collection-errors")

    result.assert_outcomes(errors=1)


@pytest.mark.parametrize(
    "options", [("--collect-only",), ("-k", "nothing"), ("--llmval-plan",)], ids=lambda options: options[0]
)
def test_every_way_to_start_pytest_shows_it(locked, options):
    """Also without a version: what is pinned is the data of the suite."""
    change(locked)

    result = locked.run(*options, versions=())

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["the data are not those that llmval.lock pins; no model was asked"])


def test_a_case_set_that_is_not_locked_stops_too(locked, distribution):
    """It is told as added, with the same command; all that differs is told at once."""
    add_case_set(locked)
    change(locked)

    result = locked.run(*distribution)

    assert result.ret == stopped(distribution)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR collecting test_*.py*",
            "    added    more.jsonl: more@*, 1 case",
            "    changed  qa.jsonl: qa@*, 60 cases -> qa@*, 60 cases",
            "If this is meant, accept it with `llmval lock` *",
        ]
    )


def test_what_is_locked_and_not_collected_is_no_matter(locked):
    """A developer runs one test of many."""
    locked.pytester.makepyfile(
        test_more="""
        from pytest_llmval import cases
        more = cases([{"question": "what is 1"}], prompt="{question}")

        @more.each
        def test_more(response):
            assert response.text
        """
    )
    locked.run("--llmval-lock", versions=())

    locked.run("test_more.py").assert_outcomes(passed=1)


def test_another_prompt_is_no_other_data(locked):
    """Nor is another variant of it: what may differ there is said by the fingerprint of the answers."""
    suite = (locked.path / "test_qa.py").read_text(encoding="utf-8")
    prompts = '{"short": "{question}", "long": "{question}"}'
    (locked.path / "test_qa.py").write_text(suite.replace('"{question}"', prompts), encoding="utf-8")

    locked.run("--llmval-prompt=long").assert_outcomes(passed=N + 1)


def test_each_selection_of_a_dataset_is_pinned(shop):
    """By what it asks: a change outside one selection leaves that one alone."""
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import cases
        qa = cases("qa.jsonl", prompt="{question}")
        first = cases("qa.jsonl", prompt="{question}", where=lambda row: row["id"] == "q1")
        inline = cases([{"question": "what is 2"}], prompt="{question}", name="inline")

        @qa.all
        def test_all(responses):
            pass

        @first.all
        def test_first(responses):
            pass

        class TestInline:
            @inline.each
            def test_inline(self, response):
                pass

            @inline.all
            def test_again(self, responses):
                pass
        """
    )
    shop.run("--llmval-lock", versions=())
    assert entries(shop.path) == [("qa.jsonl", "qa", 1), ("qa.jsonl", "qa", 60), ("test_qa.py", "inline", 1)]
    change(shop)

    result = shop.run()
    selected = shop.run("test_qa.py::test_first")

    lines = [line for line in result.outlines if line.startswith("    ")]
    assert [line.partition(":")[0] for line in lines] == ["    changed  qa.jsonl"]
    assert lines[0].count(", 60 cases") == 2
    selected.assert_outcomes(passed=1)


def test_a_lock_that_is_broken_stops_the_run(locked, distribution):
    """It is never passed over in silence; the command that mends it is named."""
    (locked.path / "llmval.lock").write_text("<<<<<<< HEAD\n", encoding="utf-8")

    result = locked.run(*distribution)

    assert result.ret == stopped(distribution)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["llmval.lock cannot be read: a merge left its marker '<<<<<<< HEAD' in line 1; `llmval lock` writes it anew"]
    )


def test_a_lock_that_is_broken_is_written_anew(locked):
    """And the command says what it replaced."""
    (locked.path / "llmval.lock").write_text("<<<<<<< HEAD\n", encoding="utf-8")

    result = locked.run("--llmval-lock", versions=())

    result.stdout.fnmatch_lines(["replaced: llmval.lock cannot be read: a merge left*", "llmval.lock pins 1 case set"])
    locked.run().assert_outcomes(passed=N + 1)


def test_a_suite_that_uses_no_case_set_is_left_alone(locked):
    """A broken lock does not concern it."""
    (locked.path / "llmval.lock").write_text("{}", encoding="utf-8")
    locked.pytester.makepyfile(test_free="def test_free():\n    pass")

    locked.run("test_free.py").assert_outcomes(passed=1)


def test_the_lock_lies_beside_the_settings_file(shop, lock):
    """Its paths start there, wherever the command is run, and the stop says what to type where pytest was run."""
    folder = shop.path / "suite"
    (folder / "deep").mkdir(parents=True)
    for name in ("qa.jsonl", "test_qa.py"):
        (shop.path / name).rename(folder / "deep" / name)
    for name in ("llmval.toml", "new.jsonl", "old.jsonl"):
        (shop.path / name).rename(folder / name)

    from_above, from_below = lock("suite"), lock(folder="suite/deep")

    assert from_above.stdout.splitlines()[0].startswith("added    deep/qa.jsonl: ")
    assert from_below.stdout.splitlines()[:2] == ["nothing has changed", "llmval.lock pins 1 case set"]
    assert entries(folder) == [("deep/qa.jsonl", "qa", N)]


def test_the_command_in_a_stop_is_for_the_folder_where_pytest_was_run(locked):
    """With the settings elsewhere it names their folder."""
    folder = locked.path / "suite"
    folder.mkdir()
    for name in ("qa.jsonl", "test_qa.py", "llmval.toml", "llmval.lock", "new.jsonl", "old.jsonl"):
        (locked.path / name).rename(folder / name)
    (folder / "qa.jsonl").write_text('{"question": "x", "answer": "y"}\n', encoding="utf-8")

    result = locked.run("suite")

    result.stdout.fnmatch_lines(
        [
            "the data are not those that suite/llmval.lock pins; no model was asked",
            "    changed  qa.jsonl: qa@*, 60 cases -> qa@*, 1 case",
            "If this is meant, accept it with `llmval lock suite` and commit suite/llmval.lock.",
        ]
    )


def test_without_a_settings_file_the_lock_lies_in_the_root_of_the_tests(shop):
    """Where pytest has its `rootdir`."""
    (shop.path / "llmval.toml").unlink()
    folder = shop.path / "suite"
    folder.mkdir()
    for name in ("qa.jsonl", "test_qa.py"):
        (shop.path / name).rename(folder / name)

    result = shop.run("suite", "--llmval-lock", "--rootdir=.", versions=())

    assert result.ret == 0
    assert entries(shop.path) == [("suite/qa.jsonl", "qa", N)]


@pytest.mark.parametrize("variable", ["CI", "BUILD_NUMBER"])
def test_ci_never_locks(locked, lock, monkeypatch, variable):
    """It would accept whatever it is given; the lock stays as it was."""
    before = (locked.path / "llmval.lock").read_bytes()
    change(locked)
    monkeypatch.setenv(variable, "true")

    result = lock()

    assert result.returncode == 4
    assert result.stderr == (
        f"llmval lock: CI never locks: changed data are accepted by a person ({variable}='true' is set); "
        "lock at your desk and commit llmval.lock\n"
    )
    assert (locked.path / "llmval.lock").read_bytes() == before


def test_locking_some_tests_leaves_the_data_of_others_locked(locked, lock):
    """Without tests what is no longer asked goes; an option alone names no test."""
    add_case_set(locked)
    change(locked)

    some = lock("test_more.py")

    added, told = some.stdout.splitlines()[:2]
    assert added.startswith("added    more.jsonl: more@")
    assert told == (
        "llmval.lock pins 2 case sets; 1 of them was not collected and stays as it was: "
        "`llmval lock` without TESTS drops what no test asks"
    )
    assert entries(locked.path) == [("more.jsonl", "more", 1), ("qa.jsonl", "qa", N)]
    assert locked.run().ret == pytest.ExitCode.INTERRUPTED
    (locked.path / "test_qa.py").unlink()
    assert lock("-p", "no:cacheprovider").stdout.startswith("removed  qa.jsonl: qa@")
    assert entries(locked.path) == [("more.jsonl", "more", 1)]


def test_nothing_is_run_to_lock(shop):
    """Neither tests nor workers, and a version that is named makes no difference; deselected tests are locked too."""
    result = shop.run("-n", "2", "-k", "gate", "--llmval-lock")

    assert result.ret == 0
    assert "workers" not in result.stdout.str()
    assert entries(shop.path) == [("qa.jsonl", "qa", N)]
    assert not (shop.path / ".llmval").exists()


def test_tests_that_cannot_be_collected_are_not_locked(shop, lock):
    """The lock stays as it is, and pytest's own message says what is wrong."""
    shop.pytester.makepyfile(test_more="import no_such_module")

    result = lock("--continue-on-collection-errors")

    assert result.returncode == pytest.ExitCode.INTERRUPTED
    assert "No module named 'no_such_module'" in result.stdout
    assert "nothing is locked: not all tests could be collected" in result.stdout
    assert not (shop.path / "llmval.lock").exists()


def test_a_suite_without_case_sets_has_nothing_to_lock(locked):
    """An empty lock would let anything pass; a lock that is there stays."""
    locked.pytester.makepyfile(test_free="def test_free():\n    pass")

    result = locked.run("test_free.py", "--llmval-lock", versions=())

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: nothing to lock: no test that was collected is decorated with a case set (.each or .all)"]
    )
    assert entries(locked.path) == [("qa.jsonl", "qa", N)]


def test_a_lock_that_cannot_be_written(shop):
    """The system's reason, without a traceback."""
    (shop.path / "llmval.lock").mkdir()

    result = shop.run("--llmval-lock", versions=())

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *llmval.lock cannot be written: Is a directory"])


def test_the_option_behind_the_command_is_in_no_help(shop):
    """Users lock with `llmval lock`."""
    assert "llmval-lock" not in shop.run("--help", versions=()).stdout.str()
