"""`llmval bless` keeps the answers of a run under a name; `--baseline-version NAME` compares with them."""

import json
import shutil

import pytest
from click.testing import CliRunner

from pytest_llmval.cli.main import main

GATE = "test_qa.py::test_gate"


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch):
    """These tests may run in CI, where nothing is blessed."""
    for variable in ("CI", "BUILD_NUMBER", "LLMVAL_STORE"):
        monkeypatch.delenv(variable, raising=False)


def bless(*args):
    """What the command says: output on success, else the message with exit status 4."""
    done = CliRunner().invoke(main, ["bless", *args])
    assert done.exit_code in (0, 4), done.output
    return done.output if done.exit_code == 0 else done.stderr


def record(shop, name="v1-oct", version="old", *args):
    """Run a version and bless its answers."""
    shop.run("-k", "gate or each", *args, versions=(version,))
    assert "wrote" in bless("latest", "--as", name)
    return shop.path / "baselines" / name


def lines_of(folder):
    """The lines of the only file of answers."""
    (path,) = folder.glob("*.jsonl")
    return path.read_text(encoding="utf-8").splitlines()


def forget(shop, name):
    """The model is gone, its name too."""
    (shop.path / f"{name}.jsonl").unlink()
    config = shop.path / "llmval.toml"
    tables = config.read_text(encoding="utf-8").split("[models.")
    config.write_text("[models.".join(each for each in tables if not each.startswith(f"{name}]")), encoding="utf-8")


def edit_rows(shop, edit):
    """Rewrite the dataset."""
    rows = [json.loads(line) for line in (shop.path / "qa.jsonl").read_text(encoding="utf-8").splitlines()]
    shop.write_lines("qa.jsonl", edit(rows))


def edit_suite(shop, old, new):
    """Change the suite."""
    suite = shop.path / "test_qa.py"
    text = suite.read_text(encoding="utf-8")
    assert old in text
    suite.write_text(text.replace(old, new), encoding="utf-8")


def test_the_record_gives_the_verdict_of_the_live_model(shop, distribution):
    """Without the old model, and without its entry in llmval.toml, everything a gate says is the same."""
    shop.add_version("worse", wrong=range(15))
    record(shop)
    shop.run("-k", "gate", versions=("worse", "old"))
    live = shop.verdicts()[GATE]
    forget(shop, "old")

    result = shop.run(*distribution, "-k", "gate", versions=("worse", "v1-oct"))

    recorded = shop.verdicts()[GATE]
    assert result.ret == 1
    for verdict in (live, recorded):
        assert verdict.pop("recorded_at")
        assert verdict.pop("headline").startswith("exact_match 1.000 -> 0.750")
        assert verdict["evidence"]["baseline"].pop("version") in ("old", "v1-oct")
    assert recorded == live


def test_what_is_recorded_is_told_wherever_the_baseline_is(shop, distribution):
    """Header, terminal, summary.md and JUnit say when it was blessed and from which run."""
    record(shop)
    (run,) = shop.runs

    result = shop.run(*distribution, "--junitxml=junit.xml", versions=("new", "v1-oct"))

    origin = f"recorded 20??-??-?? from run {run.name}"
    result.stdout.fnmatch_lines(
        [
            f"llmval: new, compared with v1-oct ({origin}); run *",
            "SHOWN: v1-oct -> new, 1 gate: equivalent",
            f"baseline v1-oct ({origin}): 60 answers replayed, none measured",
        ]
    )
    summary = (shop.path / "llmval-out" / "summary.md").read_text(encoding="utf-8")
    assert f"from run {run.name}): 60 answers replayed, none measured" in summary
    assert f"from run {run.name}" in (shop.path / "junit.xml").read_text(encoding="utf-8")


def test_answers_are_counted_once_however_many_tests_read_them(shop, distribution):
    """Items of single cases and gates, in one process or in several, replay 60 answers together."""
    record(shop)
    edit_suite(shop, "(case, response)", "(case, response, baseline_response)")
    suite = shop.path / "test_qa.py"
    suite.write_text(
        suite.read_text() + "\n@qa.all\ndef test_again(baseline_responses):\n    assert len(baseline_responses) == 60\n"
    )

    result = shop.run(*distribution, versions=("new", "v1-oct"))

    result.assert_outcomes(passed=62)
    result.stdout.fnmatch_lines(["baseline v1-oct (*): 60 answers replayed, none measured"])


def test_the_same_answers_give_the_same_bytes(shop):
    """Measured again in another run, blessed under another name: only the manifest knows."""
    first = record(shop, "one")
    shutil.rmtree(shop.path / ".llmval")

    second = record(shop, "two")

    assert [path.name for path in first.glob("*.jsonl")] == [path.name for path in second.glob("*.jsonl")]
    assert lines_of(first) == lines_of(second)


def test_one_changed_answer_changes_one_line(shop):
    """A reviewer sees in a diff which answer is another one."""
    shop.add_version("other", wrong=[7])

    before, after = lines_of(record(shop, "one")), lines_of(record(shop, "two", "other"))

    assert len(before) == len(after) == 60
    assert [place for place in range(60) if before[place] != after[place]] == [7]


def test_a_line_holds_what_a_score_needs_and_nothing_that_changes(shop):
    """Case, trial, what was asked and the answer; no times; in file order, with sorted keys."""
    lines = lines_of(record(shop))

    assert [json.loads(line)["case"] for line in lines] == [f"q{i}" for i in range(60)]
    first = json.loads(lines[0])
    assert len(first.pop("asked")) == 16
    assert first == {
        "case": "q0",
        "trial": 0,
        "text": "it is 0",
        "token_ids": [],
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 3, "completion_tokens": 3},
    }
    assert lines[0] == json.dumps(json.loads(lines[0]), sort_keys=True)


def test_the_manifest_says_whose_answers_they_are(shop):
    """Run, version, what made it answer so, seed, libraries, and how each case set was asked."""
    shop.run("--llmval-seed=5", versions=("old",))
    bless("latest", "--as", "v1-oct")

    manifest = json.loads((shop.path / "baselines" / "v1-oct" / "manifest.json").read_text())

    run = shop.manifest()
    assert (manifest["name"], manifest["run_id"], manifest["version"]) == ("v1-oct", run["run_id"], "old")
    assert manifest["fingerprint"] == run["models"][0]["fingerprint"]
    assert manifest["seed"] == 5
    assert manifest["libraries"] == run["environment"]["libraries"]
    (entry,) = manifest["case_sets"]
    assert entry["conditions"]["decoding"] == "max_tokens=64, temperature=0"
    assert entry["conditions"]["batching"] == "blocks of 32"
    assert (entry["cases"], entry["answers"], entry["left_out"]) == (60, 60, [])


@pytest.mark.parametrize(("failed", "outcome"), [(3, "equivalent"), (4, "invalid")])
def test_cases_that_failed_are_left_out_and_count_as_missing(shop, failed, outcome):
    """Up to 5 % of 60 cases may be missing; more make the gate invalid."""
    shop.add_version("crashing", failed=range(failed))
    shop.run("-k", "gate or each", versions=("crashing",))
    told = bless("latest", "--as", "v1-oct")

    shop.run("-k", "gate", versions=("new", "v1-oct"))

    verdict = shop.verdicts()[GATE]
    assert f"{60 - failed} of 60 cases; left out, since an answer failed: 'q0', 'q1', 'q2'" in told
    assert verdict["counts"] == {"cases": 60, "compared": 60 - failed, "failed": 0, "unscored": 0, "missing": failed}
    if outcome == "invalid":
        assert verdict["outcome"] == "invalid"
        assert "are lost, more than 5%" in verdict["reason"]
    else:
        assert verdict["delta"] == 0


def relabel(rows):
    """Another expected answer to one question."""
    return [row | ({"answer": "it is not 3"} if row["id"] == "q3" else {}) for row in rows]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda shop: edit_rows(shop, relabel), "dataset differs: qa@* -> qa@*"),
        (lambda shop: edit_suite(shop, '"{question}"', '"{question}{empty}"'), "prompt differs: * -> *"),
        (
            lambda shop: edit_suite(shop, 'reference="{answer}"', 'reference="{answer}", max_tokens=9'),
            "decoding differs: max_tokens=64, temperature=0 -> max_tokens=9, temperature=0",
        ),
        (
            lambda shop: (shop.path / "llmval.toml").write_text(
                "block = 16\n" + (shop.path / "llmval.toml").read_text()
            ),
            "batching differs: blocks of 32 -> blocks of 16",
        ),
    ],
    ids=["dataset", "prompt", "decoding", "block"],
)
def test_changed_conditions_are_refused_naming_both(shop, change, told):
    """The recorded conditions stand beside those of today, and --llmval-vary widens by name."""
    shop.write_cases(empty="")
    record(shop)
    change(shop)

    refused = shop.run("-k", "gate", versions=("new", "v1-oct"))
    allowed = shop.run("-k", "gate", f"--llmval-vary={told.split()[0]}", versions=("new", "v1-oct"))

    refused.stdout.fnmatch_lines(["*InvalidComparison: exact_match cannot be decided vs v1-oct", f"*{told}*"])
    assert allowed.ret == 0
    assert shop.verdicts()[GATE]["outcome"] != "invalid"


def test_with_another_dataset_only_answers_to_the_same_questions_count(shop):
    """An edited question, a new case and a case that is gone are missing; a new expectation is applied to both."""

    def edit(rows):
        edited = [row | ({"question": "what is 59"} if row["id"] == "q1" else {}) for row in relabel(rows)]
        return [*edited[:-1], {"id": "new", "question": "what is 1", "answer": "it is 1"}]

    record(shop)
    edit_rows(shop, edit)

    shop.run("-k", "gate", "--llmval-vary=dataset", versions=("new", "v1-oct"))

    verdict = shop.verdicts()[GATE]
    assert verdict["counts"] == {"cases": 61, "compared": 58, "failed": 0, "unscored": 0, "missing": 3}
    evidence = verdict["evidence"]["baseline"]
    assert evidence["values"][evidence["ids"].index("q3")] == 0.0
    assert evidence["ids"][-1] == "q59"


def test_an_item_without_a_recorded_answer_is_skipped_with_the_reason(shop, distribution):
    """A case that came later has no baseline; the others are compared."""
    edit_suite(shop, "(case, response)", "(case, response, baseline_response)")
    edit_suite(shop, "== response.text", "== baseline_response.text")
    shop.write_cases(count=40)
    record(shop)
    shop.write_cases(count=42)

    result = shop.run(*distribution, "-rs", "-k", "each", versions=("new", "v1-oct"))

    assert result.parseoutcomes()["passed"] == 40
    assert result.parseoutcomes()["skipped"] == 2
    result.stdout.fnmatch_lines(
        ["SKIPPED*the recorded baseline 'v1-oct' has no answer to case 'q41' as it is asked now: none was recorded*"]
    )


def test_an_item_asked_under_other_conditions_is_skipped_with_both(shop):
    """No gate stands between a single item and an answer to another prompt or decoding."""
    edit_suite(shop, "(case, response)", "(case, response, baseline_response)")
    record(shop)
    edit_suite(shop, 'reference="{answer}"', 'reference="{answer}", max_tokens=9')

    refused = shop.run("-rs", "-k", "each", versions=("new", "v1-oct"))
    allowed = shop.run("-k", "each", "--llmval-vary=decoding", versions=("new", "v1-oct"))

    refused.stdout.fnmatch_lines(
        ["SKIPPED*decoding differs: max_tokens=64, temperature=0 -> max_tokens=9, temperature=0; --llmval-vary dec*"]
    )
    assert refused.parseoutcomes()["skipped"] == 60
    allowed.assert_outcomes(passed=60, deselected=1)


@pytest.mark.parametrize("fixture", ["baseline_llm", "baseline_torch_model", "baseline_tokenizer"])
def test_what_needs_the_model_itself_is_skipped(shop, fixture):
    """A record cannot be asked again."""
    record(shop)
    shop.pytester.makepyfile(test_inside=f"def test_inside({fixture}): assert False")

    result = shop.run("test_inside.py", "-rs", versions=("new", "v1-oct"))

    result.stdout.fnmatch_lines(["SKIPPED*the baseline 'v1-oct' is recorded: its answers are there, the model is not"])


@pytest.mark.parametrize(("recorded", "asked", "used"), [(3, 2, 2), (2, 3, 2)])
def test_of_the_recorded_trials_as_many_as_asked_are_used(shop, recorded, asked, used):
    """More are left aside, and those that are there do."""
    record(shop, "v1-oct", "old", f"--llmval-trials={recorded}")

    result = shop.run("-k", "gate", f"--llmval-trials={asked}", versions=("new", "v1-oct"))

    evidence = shop.verdicts()[GATE]["evidence"]
    assert (evidence["baseline"]["trials"], evidence["candidate"]["trials"]) == (used, asked)
    result.stdout.fnmatch_lines([f"baseline v1-oct (*): {60 * used} answers replayed, none measured"])


def test_case_sets_have_files_of_their_own(shop):
    """One data set in two wordings: each is found again by how it was asked."""
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import assert_no_regression, cases, exact_match
        asked = {"reference": "{answer}"}
        plain = cases("qa.jsonl", prompt="{question}", **asked)
        other = cases("qa.jsonl", prompt="{question} ", **asked)

        @plain.all
        def test_gate(responses, baseline_responses):
            assert_no_regression(exact_match(responses), exact_match(baseline_responses))

        @other.all
        def test_gate_of_the_other_prompt(responses, baseline_responses):
            assert_no_regression(exact_match(responses), exact_match(baseline_responses))
        """
    )
    rows = [{"prompt": f"what is {i}{blank}", "text": f"it is {i}"} for i in range(60) for blank in ("", " ")]
    for name in ("old", "new"):
        shop.write_lines(f"{name}.jsonl", rows)
    shop.run(versions=("new", "old"))
    bless("latest", "--as", "v1-oct", "--version", "old")

    result = shop.run(versions=("new", "v1-oct"))

    assert len(list((shop.path / "baselines" / "v1-oct").glob("qa-*.jsonl"))) == 2
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["baseline v1-oct (*): 120 answers replayed, none measured"])


def test_a_case_set_that_was_never_recorded_is_refused(shop):
    """What came after the baseline has nothing to be compared with, and is not waved through."""
    record(shop)
    (shop.path / "qa.jsonl").rename(shop.path / "quiz.jsonl")
    edit_suite(shop, "qa.jsonl", "quiz.jsonl")

    result = shop.run("-k", "gate", versions=("new", "v1-oct"))

    assert result.ret == 1
    result.stdout.fnmatch_lines(["*InvalidComparison*", "*dataset differs: (none recorded; there are qa@*) -> quiz@*"])


def test_a_run_of_some_cases_is_blessed_with_a_word_about_the_others(shop):
    """One selected case answers its block of 32; the other 28 are missing."""
    shop.run("test_qa.py::test_each[q7]", versions=("old",))

    told = bless("latest", "--as", "v1-oct")
    shop.run("-k", "gate", versions=("new", "v1-oct"))

    assert "32 of 60 cases; 28 were not asked in this run" in told
    assert shop.verdicts()[GATE]["counts"]["missing"] == 28


def test_replayed_answers_are_blessed_under_the_data_they_were_replayed_for(shop):
    """A new expectation asks nothing anew: the baseline belongs to the data set as it is."""
    shop.run("-k", "gate or each", versions=("old",))
    edit_rows(shop, relabel)
    record(shop)

    result = shop.run("-k", "gate", versions=("new", "v1-oct"))

    assert shop.verdicts()[GATE]["outcome"] == "equivalent"
    result.stdout.no_fnmatch_line("*differs*")


def test_in_the_store_or_in_a_folder(shop):
    """Found by name in the store, by its path elsewhere."""
    shop.run(versions=("old",))

    stored, placed = (
        bless("latest", "--as", "kept", "--in-store"),
        bless("latest", "--as", "far", "--into", "elsewhere"),
    )

    assert (shop.path / ".llmval" / "baselines" / "kept" / "manifest.json").exists()
    assert "--baseline-version kept" in stored
    assert f"--baseline-version {shop.path / 'elsewhere' / 'far'}" in placed
    for named in ("kept", "elsewhere/far"):
        shop.run("-k", "gate", versions=("new", named)).stdout.fnmatch_lines(["SHOWN: * -> new, 1 gate: equivalent"])


def test_the_baseline_of_the_settings_file(shop):
    """`[defaults] baseline` takes a recorded one too."""
    record(shop)
    config = shop.path / "llmval.toml"
    config.write_text('[defaults]\nbaseline = "v1-oct"\n' + config.read_text())

    shop.run("-k", "gate", versions=("new",)).stdout.fnmatch_lines(["SHOWN: v1-oct -> new, 1 gate: equivalent"])


def test_a_model_goes_before_a_record_of_its_name(shop):
    """What llmval.toml names can be asked; the record is reached by its folder."""
    record(shop, "later")
    shop.add_version("later")

    live = shop.run("-k", "gate", versions=("new", "later"))
    recorded = shop.run("-k", "gate", versions=("new", "baselines/later"))

    live.stdout.fnmatch_lines(["later: 0 answers measured, 60 replayed from an earlier run"])
    recorded.stdout.fnmatch_lines(["baseline later (recorded *): 60 answers replayed, none measured"])


def test_a_plan_leaves_the_record_out(shop):
    """It is asked nothing."""
    record(shop)

    result = shop.run("--llmval-plan", versions=("new", "v1-oct"))

    result.stdout.fnmatch_lines(["new *60*"])
    result.stdout.no_fnmatch_line("v1-oct *60*")


def test_names_that_are_wrong(shop, distribution):
    """A record is no candidate; an unknown baseline lists models and records."""
    record(shop)

    candidate = shop.run(*distribution, versions=("v1-oct", "old"))
    unknown = shop.run(*distribution, versions=("new", "v1-otc"))

    assert candidate.ret == unknown.ret == pytest.ExitCode.USAGE_ERROR
    candidate.stderr.fnmatch_lines(
        ["*--model-version 'v1-oct' is a recorded baseline, which can only be compared with, as --baseline-version*"]
    )
    unknown.stderr.fnmatch_lines(
        ["*unknown model version 'v1-otc'; did you mean 'v1-oct'? known: 'new', 'old', 'v1-oct' in *recorded*"]
    )


def test_a_record_that_was_changed_is_refused(shop):
    """A baseline never changes: an edited line is an error that says how to get it back."""
    (path,) = record(shop).glob("*.jsonl")
    path.write_text(path.read_text(encoding="utf-8").replace("it is 5", "it is 6"), encoding="utf-8")

    result = shop.run("-k", "gate", versions=("new", "v1-oct"))

    result.assert_outcomes(errors=1, deselected=60)
    result.stdout.fnmatch_lines(
        ["*.jsonl: changed since it was blessed, and a recorded baseline never changes; restore*"]
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1}', '{"schema": 2}'])
def test_a_manifest_that_is_none_stops_before_any_test(shop, text):
    """The file is named."""
    (record(shop) / "manifest.json").write_text(text)

    result = shop.run(versions=("new", "v1-oct"))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*manifest.json: not the manifest of a recorded baseline (*); `llmval bless` makes one"]
    )


@pytest.mark.parametrize("variable", ["CI", "BUILD_NUMBER"])
def test_ci_never_blesses(shop, monkeypatch, variable):
    """A baseline is accepted by a person."""
    shop.run(versions=("old",))
    monkeypatch.setenv(variable, "7")

    said = bless("latest", "--as", "v1-oct")

    assert said == (
        f"llmval bless: CI never blesses: a baseline is accepted by a person ({variable}='7' is set); "
        "bless at your desk and commit the folder\n"
    )
    assert not (shop.path / "baselines").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("--as", "taken"),
            "--as 'taken': {path}/baselines/taken is there already, and a recorded baseline never changes",
        ),
        (("--as", "taken", "--in-store"), "--as 'taken': {path}/baselines/taken is there already"),
        (
            ("--as", "new"),
            "--as 'new': a model in {path}/llmval.toml has this name; choose another, such as 'new-recorded'",
        ),
        (("--as", "a/b"), "--as 'a/b': expected a plain name of letters, digits and . _ + -, such as 'v1-oct'"),
        (("--as", ".."), "--as '..': expected a plain name"),
        (("--as", ""), "--as '': expected a plain name"),
        (
            ("--as", "x", "--version", "odl"),
            "has no answers of version 'odl' to a case set; it has those of 'old', 'new'",
        ),
    ],
)
def test_what_cannot_be_blessed_is_refused(shop, args, message):
    """Nothing is overwritten, and nothing is half written."""
    shop.run(versions=("old", "new"))
    bless("latest", "--as", "taken")

    said = bless("latest", *args)

    assert message.format(path=shop.path) in said
    assert [path.name for path in shop.path.rglob("baselines/*")] == ["taken"]


def test_a_run_that_shows_nothing_is_blessed_with_a_word_about_it(shop, distribution):
    """Its answers are real all the same; a run that is SHOWN gets no note."""
    shop.add_version("worse", wrong=range(15))
    shop.run(*distribution, "-k", "gate")
    shown = bless("latest", "--as", "shown")

    shop.run(*distribution, "-k", "gate", versions=("worse", "old"))
    regressed = bless("latest", "--as", "regressed")

    assert "note:" not in shown
    assert (
        f"\nnote: the answer of run {shop.runs[-1].name} was REGRESSED: old -> worse, 1 gate: regressed\n" in regressed
    )


def test_a_run_that_was_stopped_early_is_blessed_with_a_word_about_it(shop):
    """Whether that is its answer or a test failed before."""
    edit_suite(shop, "from pytest_llmval", "import pytest\nfrom pytest_llmval")
    suite = shop.path / "test_qa.py"
    calm = suite.read_text(encoding="utf-8")
    suite.write_text(calm + "\ndef test_stop():\n    pytest.exit('enough')\n", encoding="utf-8")
    shop.run("-k", "gate or stop")
    stopped = bless("latest", "--as", "stopped")

    suite.write_text(calm + "\ndef test_stop():\n    assert False\n", encoding="utf-8")
    shop.run("-x", "-k", "gate or stop")
    failed = bless("latest", "--as", "failed")

    first, second = (run.name for run in shop.runs)
    assert f"\nnote: the answer of run {first} was STOPPED EARLY: old -> new, 1 gate: equivalent\n" in stopped
    assert (
        f"\nnote: the answer of run {second} was FAILED: old -> new, 1 gate: equivalent; 1 other test failed; "
        "it was STOPPED EARLY\n"
    ) in failed


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_a_run_without_results_may_not_have_ended(shop, content):
    """It was killed, or runs still."""
    shop.run("-k", "gate")
    results = shop.runs[-1] / "results.json"
    results.unlink()
    if content is not None:
        results.write_text(content, encoding="utf-8")

    told = bless("latest", "--as", "v1-oct")

    assert (
        f"\nnote: run {shop.runs[-1].name} left no results.json that can be read; it may not have come to its end\n"
    ) in told


def test_a_run_that_is_none_lists_the_latest(shop):
    """The newest first; the beginning of an id is enough when it is the only one."""
    shop.run("-k", "gate or each", versions=("old",))
    shop.run("-k", "gate or each", versions=("new",))
    first, second = (run.name for run in shop.runs)

    assert bless("nope", "--as", "x") == (
        f"llmval bless: there is no run 'nope' in {shop.path / '.llmval'}; the latest are {second}, {first}\n"
    )
    assert f"'20' is the beginning of 2 runs: {second}, {first}; give more of the id" in bless("20", "--as", "x")
    assert "of old, from run" in bless(first[:-2], "--as", "x")


def test_a_store_without_runs(shop):
    """The folder is named, and how to name another."""
    assert bless("latest", "--as", "x", "--store", "empty") == (
        f"llmval bless: there is no run 'latest' in {shop.path / 'empty'}, nor any other; "
        "name another store with --store DIR\n"
    )


def test_a_run_without_answers_says_so(shop):
    """Only single items were asked of a test's own calls, which belong to no case."""
    shop.pytester.makepyfile(test_qa="def test_call(llm): assert llm.generate('what is 1').text")
    shop.run(versions=("old",))

    assert "has no answers of version 'old' to a case set; it has none at all" in bless("latest", "--as", "x")


def test_trials_of_a_marked_test_are_blessed_too(shop):
    """A test that is repeated asks for trials that its case set does not plan; each is found again."""
    edit_suite(shop, "(case, response)", "(case, response, baseline_response)")
    edit_suite(shop, "@qa.each", "@pytest.mark.llmval_trials(3)\n@qa.each")
    edit_suite(shop, "from pytest_llmval", "import pytest\nfrom pytest_llmval")
    shop.write_cases(count=3)
    shop.run("-k", "each", versions=("new", "old"))
    told = bless("latest", "--as", "v1-oct", "--version", "old")

    result = shop.run("-k", "each", versions=("new", "v1-oct"))

    assert "v1-oct: 9 answers of old" in told
    result.assert_outcomes(passed=3, deselected=1)
    result.stdout.fnmatch_lines(["*baseline v1-oct (*): 9 answers replayed, none measured"])
