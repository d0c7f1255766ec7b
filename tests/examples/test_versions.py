"""Each version of the example model meets exactly the gates it must fail."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml

pytestmark = [pytest.mark.models, pytest.mark.examples]

ROOT = Path(__file__).parents[2]

SHOWN = {"equivalent", "improved", "worse_within"}
"""Outcomes that let a version pass."""

EXPECTED = {
    "test_faq.py::test_known_questions": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_faq.py::test_wild_phrasings": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_faq.py::test_new_topic": {"v3": {"improved"}},
    "test_faq.py::test_most_answers_are_exact": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_faq.py::test_perplexity_of_shop_texts": {"v3": {"regressed"}},
    "test_quiz.py::test_accuracy_does_not_regress": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_quiz.py::test_accuracy_is_far_above_chance": {"v4": {"regressed"}},
    "test_orders.py::test_totals": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_extraction.py::test_fields": {"v4": {"regressed"}},
    "test_refusals.py::test_refusals_and_look_alikes": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_sampling.py::test_sampled_answers": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_sampling.py::test_answers_agree_with_each_other": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_robustness.py::test_typos_matter_no_more_often": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_robustness.py::test_most_typos_do_not_matter": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_robustness.py::test_white_space_does_not_matter": {"v3": {"regressed"}, "v4": {"regressed"}},
    "test_sampling.py::test_names_the_return_window": {"v3": {"regressed"}, "v4": {"regressed"}},
}
"""Outcome of each gate by version, always against v1; where none is given the gate must pass."""

BELOW_THE_TEXT = {
    f"test_numerics.py::{name}": {"v5": {"regressed"}}
    for name in ("test_weights_agree", "test_next_token_distributions_agree", "test_layers_agree")
}
"""The same of the gates that only versions with v1's weights meet."""

SAME_WEIGHTS = {"v5", "v6"}

FORGOTTEN = {
    "test_faq.py::test_answer_states_the_fact",
    "test_golden.py::test_hard_facts_are_worded_as_accepted",
    "test_robustness.py::test_no_other_mark_changes_a_hard_fact",
}
"""Single facts, of which a version that forgot them must fail some."""

FAILING_CHECKS = {
    "v3": {*FORGOTTEN},
    "v4": {
        *FORGOTTEN,
        "test_numerics.py::test_chat_templates_agree",
        "test_golden.py::test_mails_are_read_as_accepted",
    },
}
"""Tests without a verdict that a version must fail."""


def run_examples(store, version, *args):
    """Run the example suites on a version; gives the process and the run's folder."""
    command = [sys.executable, "-m", "pytest", "example_suites", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    options = [f"--model-version={version}", "--baseline-version=v1", f"--llmval-store={store}"]
    files = [f"--llmval-out={store}/out-{version}", f"--junitxml={store}/{version}.xml"]
    done = subprocess.run([*command, *options, *files, *args], cwd=ROOT, capture_output=True, text=True, check=False)
    return done, run_folder(store, version)


def run_folder(store, version):
    """The folder of the one run of a version in a store."""
    manifests = (store / "runs").glob("*/manifest.json")
    (found,) = [path.parent for path in manifests if json.loads(path.read_text())["candidate"] == version]
    return found


def verdicts_of(run):
    """The verdicts of a run, by test."""
    lines = (run / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    entries = map(json.loads, lines)
    return {entry["test"].removeprefix("example_suites/"): entry for entry in entries}


def failing_tests(store, version):
    """Names of the tests that fail in the JUnit file of a version, without their parameters."""
    (suite,) = JUnitXml.fromfile(str(store / f"{version}.xml"))
    failing = [case for case in suite if any(type(result).__name__ != "Skipped" for result in case.result)]
    return {f"{case.classname.rsplit('.', 1)[-1]}.py::{case.name.split('[')[0]}" for case in failing}


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """One record store for all versions, so that the baseline is asked once a process."""
    return tmp_path_factory.mktemp("versions")


@pytest.mark.parametrize("version", ["v2", "v3", "v4", "v5", "v6"])
def test_a_version_fails_exactly_the_gates_it_must(store, version):
    """The table version × gate: what is damaged is found, and nothing else is."""
    done, run = run_examples(store, version)

    verdicts = verdicts_of(run)
    table = EXPECTED | (BELOW_THE_TEXT if version in SAME_WEIGHTS else {})
    assert verdicts.keys() == table.keys(), done.stdout[-3000:]
    for test, verdict in verdicts.items():
        assert verdict["outcome"] in table[test].get(version, SHOWN), (test, verdict["headline"])
        assert verdict["counts"]["compared"] >= 200 or test in BELOW_THE_TEXT or verdict["kind"] == "trials"
    gates = {test for test, verdict in verdicts.items() if verdict["outcome"] in ("regressed", "invalid")}
    expected = gates | FAILING_CHECKS.get(version, set())
    assert failing_tests(store, version) == expected
    assert done.returncode == (1 if expected else 0)


def test_junit_names_the_regressed_gates_with_their_figures(store):
    """Old value, new value, interval and n of each gate that forgetting breaks."""
    if not (store / "v3.xml").exists():
        run_examples(store, "v3")

    (suite,) = JUnitXml.fromfile(str(store / "v3.xml"))
    (case,) = [each for each in suite if each.name == "test_wild_phrasings"]
    first = case.result[0].message.splitlines()[0]
    assert first.startswith("ModelRegression: rouge_l 0.")
    assert first.endswith("n=240) vs v1")
    assert "90% CI [-" in first


def test_junit_and_summary_name_the_faulty_layer(store):
    """The text gates of v5 pass; the layer that its conversion damaged is named first."""
    if not (store / "v5.xml").exists():
        run_examples(store, "v5")

    (suite,) = JUnitXml.fromfile(str(store / "v5.xml"))
    (case,) = [each for each in suite if each.name == "test_layers_agree"]
    first = case.result[0].message.splitlines()[0]
    assert first.startswith("ModelRegression: layers.3.self_attn.q_proj is at fault: its weight looks heads permuted")
    assert "layers.3.self_attn.q_proj is at fault" in (store / "out-v5" / "summary.md").read_text(encoding="utf-8")


def comparable(run):
    """The records of case sets in a run, without what differs between any two runs; direct calls name their worker."""
    found = {}
    for path in sorted(set((run / "responses").glob("*.jsonl")) - set((run / "responses").glob("calls-*.jsonl"))):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            for name in ("recorded_at", "run_id", "replayed_from"):
                record.pop(name)
            record["response"].pop("timing")
            found[record["version"], record["case_set"], record["case_id"], record["trial"]] = record
    return found


def test_serial_and_distributed_runs_are_identical(tmp_path):
    """With a fresh store each, `-n 2` and serial give the same cases, texts, logprobs, scores and verdicts."""
    runs = []
    for name, args in (("serial", ()), ("distributed", ("-n", "2"))):
        (tmp_path / name).mkdir()
        runs.append(run_examples(tmp_path / name, "v2", *args)[1])

    serial, distributed = map(comparable, runs)
    assert len(serial) > 5000
    assert serial == distributed
    verdicts = [verdicts_of(run) for run in runs]
    for entry in [*verdicts[0].values(), *verdicts[1].values()]:
        entry.pop("recorded_at")
    assert verdicts[0] == verdicts[1]
