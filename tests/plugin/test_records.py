"""What a run leaves, and what a later run takes from it."""

import json
import stat
import subprocess
import sys

import pytest


def counts(result):
    """The lines that say what was measured."""
    return [line for line in result.outlines if "answers measured" in line]


def test_a_second_run_after_editing_a_threshold_asks_nothing(shop, distribution):
    """Local answers are taken over while model, cases and decoding are the same."""
    shop.run(*distribution)
    suite = shop.path / "test_qa.py"
    suite.write_text(suite.read_text().replace("baseline_responses))", "baseline_responses), margin=0.1)"))

    result = shop.run(*distribution)

    result.assert_outcomes(passed=61)
    assert counts(result) == [
        "new: 0 answers measured, 60 replayed from an earlier run",
        "old: 0 answers measured, 60 replayed from an earlier run",
    ]


def test_a_changed_model_is_asked_again(shop):
    """Only the version whose bytes changed is measured."""
    shop.run()
    shop.write_lines("new.jsonl", [{"prompt": "*", "text": "it is 7"}])

    result = shop.run("-k", "gate")

    assert counts(result) == ["new: 60 answers measured", "old: 0 answers measured, 60 replayed from an earlier run"]


def test_a_changed_case_is_asked_again_with_its_block(shop):
    """Blocks of 32 cases are measured whole; the others are taken over."""
    shop.run()
    rows = [json.loads(line) for line in (shop.path / "qa.jsonl").read_text().splitlines()]
    rows[40]["answer"] = "something else"
    rows[40]["question"] = "what is 41"
    rows[41]["question"] = "what is 40"
    shop.write_lines("qa.jsonl", rows)

    result = shop.run("-k", "gate")

    assert counts(result)[0] == "new: 28 answers measured, 32 replayed from an earlier run"


def test_seeds_and_decoding_are_part_of_the_key(shop):
    """Another seed is another measurement."""
    shop.run()

    result = shop.run("-k", "gate", "--llmval-seed=1")

    assert counts(result)[0] == "new: 60 answers measured"


def test_failed_answers_are_asked_again(shop):
    """A block in which a request failed is not offered to later runs."""
    shop.add_version("crashing", failed=[3])
    shop.run("-k", "gate", versions=("crashing", "old"))

    result = shop.run("-k", "gate", versions=("crashing", "old"))

    assert counts(result)[0] == "crashing: 32 answers measured, 28 replayed from an earlier run, 1 failed"


def test_serial_and_xdist_leave_the_same_records(shop):
    """Cases, texts, seeds, keys, scores and verdicts do not depend on the distribution."""
    shop.run("--llmval-store=serial")
    shop.run("--llmval-store=distributed", "-n", "2")

    serial, distributed = ((shop.path / name / "runs") for name in ("serial", "distributed"))
    runs = [next(folder.iterdir()) for folder in (serial, distributed)]
    assert len(shop.records(runs[0])) == 120
    assert shop.records(runs[0]) == shop.records(runs[1])
    verdicts = [shop.verdicts(run)["test_qa.py::test_gate"] for run in runs]
    for verdict in verdicts:
        verdict.pop("recorded_at")
    assert verdicts[0] == verdicts[1]


def test_two_runs_at_once_give_what_each_gives_alone(shop):
    """Runs in one checkout do not disturb each other."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--baseline-version=old"]
    shop.add_version("worse", wrong=range(15))

    together = [
        subprocess.Popen([*command, f"--model-version={name}"], cwd=shop.path, stdout=subprocess.PIPE, text=True)
        for name in ("new", "worse")
    ]
    outputs = [process.communicate(timeout=120)[0] for process in together]

    assert [process.returncode for process in together] == [0, 1]
    assert "SHOWN: old -> new, 1 gate: equivalent" in outputs[0]
    assert "REGRESSED: old -> worse, 1 gate: regressed" in outputs[1]
    assert [len(shop.records(run)) for run in shop.runs] == [120, 120]


def test_the_manifest_of_a_run_that_only_replays_names_its_models(shop, distribution):
    """No server is started, and the fingerprints are there all the same."""
    shop.run(*distribution)

    shop.run(*distribution)

    fingerprints = {model["version"]: model["fingerprint"] for model in shop.manifest()["models"]}
    assert fingerprints == {record["version"]: record["fingerprint"] for record in shop.records().values()}


def test_the_manifest_says_what_was_asked_of_what_with_what(shop, distribution):
    """Fingerprints, dataset hashes, decoding, seed, versions of libraries and times."""
    shop.run(*distribution)

    manifest = shop.manifest()

    assert sorted(model["version"] for model in manifest["models"]) == ["new", "old"]
    assert manifest["datasets"][0]["decoding"] == "max_tokens=64, temperature=0"
    assert len(manifest["datasets"][0]["sha256"]) == 64
    assert manifest["candidate"] == "new"
    assert manifest["environment"]["libraries"]["pytest"] == pytest.__version__
    assert manifest["tests"] == {"passed": 61}
    assert manifest["started_at"] < manifest["ended_at"]


def test_files_are_readable_by_their_owner_only(shop):
    """Answers may be confidential."""
    shop.run()

    for path in shop.runs[-1].rglob("*.json*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_store_keeps_itself_out_of_version_control(shop):
    """`.llmval/.gitignore` ignores everything."""
    shop.run()

    assert (shop.path / ".llmval" / ".gitignore").read_text() == "*\n"


def test_selecting_one_case_computes_its_block_and_says_so(shop, distribution):
    """Numbers do not depend on the selection."""
    result = shop.run(*distribution, "test_qa.py::test_each[q7]", versions=("new",))

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["llmval: new: 32 answers measured, for 1 selected: blocks are computed whole*"])


def test_offline_uses_records_only(shop, distribution):
    """A miss is a failure of infrastructure, hence exit status 75."""
    missed = shop.run(*distribution, "--llmval-offline")
    shop.run(*distribution)
    found = shop.run(*distribution, "--llmval-offline")

    assert missed.ret == 75
    missed.stdout.fnmatch_lines(["*--llmval-offline: new has no recorded answers to qa@*"])
    found.assert_outcomes(passed=61)


def test_a_torn_record_is_reported_and_measured_again(shop):
    """Half a line at the end of a segment, as a crash leaves it, loses that block alone."""
    shop.run()
    _, block = next((shop.path / ".llmval" / "index").iterdir()).read_text().split()
    segment = shop.runs[-1] / "responses" / f"{block}.jsonl"
    segment.write_text(segment.read_text()[:-200])

    result = shop.run("-W", "default")

    result.assert_outcomes(passed=61, warnings=1)
    result.stdout.fnmatch_lines(["*LlmvalStoreWarning: *.jsonl:*: not a whole record*"])
    assert len(shop.records()) == 120


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file size are a POSIX matter")
def test_a_full_disk_is_named(shop):
    """A store that cannot be written says so, and how to choose another; that is no fault of the model: status 75."""
    shop.write_lines("new.jsonl", [{"prompt": "*", "text": "long " * 2000}])
    shop.pytester.makeconftest(
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))"
    )

    result = shop.run_subprocess("-k", "gate")

    assert result.ret == 75
    result.stdout.fnmatch_lines(["cannot write *: File too large; records go where --llmval-store says*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert not list(shop.path.rglob("*.part"))


def test_an_interrupted_run_keeps_what_it_has(shop):
    """After Ctrl-C answers, verdicts and summary of the finished tests are on disk."""
    shop.pytester.makepyfile(test_zz="def test_interrupted():\n    raise KeyboardInterrupt")

    result = shop.run_subprocess()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert shop.verdicts()["test_qa.py::test_gate"]["outcome"] == "equivalent"
    assert shop.manifest()["ended_at"]
    assert (shop.path / "llmval-out" / "summary.md").exists()


def test_reports_that_cannot_be_written_hide_no_verdict(shop, distribution):
    """A file stands where the folder should: the table is told, and why there are no reports; nobody reads green."""
    (shop.path / "taken").write_text("", encoding="utf-8")

    result = shop.run(*distribution, "--llmval-out=taken")

    assert result.ret == 75
    result.stdout.fnmatch_lines(
        [
            "SHOWN: old -> new, 1 gate: equivalent",
            "llmval: cannot write *taken/results.json: *; records go where --llmval-store says, reports where *",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_regression_without_reports_is_still_one(shop):
    """Exit 1, as with reports."""
    (shop.path / "taken").write_text("", encoding="utf-8")
    shop.add_version("bad", wrong=range(30))

    assert shop.run("--llmval-out=taken", versions=("bad", "old")).ret == 1


def test_offline_no_test_asks_a_model_itself(shop, distribution):
    """Direct calls are never replayed: such tests skip with the reason; case sets are read from records."""
    shop.run()
    shop.pytester.makepyfile(test_calls="def test_calls(llm):\n    llm.generate('what is 1')")

    result = shop.run(*distribution, "--llmval-offline", "-rs")

    result.assert_outcomes(passed=61, skipped=1)
    result.stdout.fnmatch_lines(
        ["*--llmval-offline: no model is asked; of what tests ask new, llm.recorded alone is replayed*"]
    )
