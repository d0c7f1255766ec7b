"""`llmval aa` measures the gates of a suite on a version that is compared with itself."""

import re
import subprocess
import sys

import pytest

RIGHT_IN_TEN = 8


@pytest.fixture
def noisy(shop):
    """The shop with a version that is right in eight trials of ten, whatever is asked."""
    texts = [["it is {}", "no idea"][place >= RIGHT_IN_TEN] for place in range(10)]
    answers = [{"prompt": f"what is {i}", "texts": [text.format(i) for text in texts]} for i in range(60)]
    shop.write_lines("noisy.jsonl", answers)
    with (shop.path / "llmval.toml").open("a", encoding="utf-8") as config:
        config.write('[models.noisy]\nserver = "scripted"\nanswers = "noisy.jsonl"\n')
    return shop


def aa(shop, *args):
    """The command in the folder of the shop, with few splits to be quick."""
    command = "from pytest_llmval.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, "aa", "-p", "no:cacheprovider", "--splits=60", *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=shop.path,
    )


def report(result):
    """The lines after those of pytest."""
    lines = result.stdout.splitlines()
    (start,) = [place for place, line in enumerate(lines) if line.startswith("A/A check of")]
    return lines[start:]


def gates(shop, *bodies):
    """A suite of gates."""
    tests = "".join(
        f"\n@qa.all\ndef test_{number}(responses, baseline_responses):\n    {body}\n"
        for number, body in enumerate(bodies)
    )
    header = (
        "from pytest_llmval import assert_at_least, assert_no_regression, cases, exact_match, scored\n"
        'qa = cases("qa.jsonl", prompt="{question}", reference="{answer}", temperature=0.7)\n'
    )
    (shop.path / "test_qa.py").write_text(header + tests, encoding="utf-8")


GATE = "assert_no_regression(exact_match(responses), exact_match(baseline_responses), margin=0.1)"


def test_a_version_that_is_its_own_baseline_is_asked_once(noisy, distribution):
    """Both sides are the same recorded answers: 60 cases, 4 trials each, and no difference at all."""
    noisy.run(*distribution, "-k", "gate", "--llmval-trials=4", versions=("noisy", "noisy")).assert_outcomes(passed=1)

    (verdict,) = noisy.all_verdicts()
    assert verdict["delta"] == 0
    assert verdict["evidence"]["candidate"]["by_trial"] == verdict["evidence"]["baseline"]["by_trial"]
    assert 0 < verdict["candidate"] < 1
    assert len(noisy.records()) == 240


def test_a_sound_suite(noisy):
    """One line a gate, exit 0, and no report that would read as the verdict on a version."""
    gates(noisy, GATE, "assert_at_least(exact_match(responses), 0.5)")

    result = aa(noisy, "--model-version", "noisy", "--", "-n", "2")

    lines = report(result)
    assert result.returncode == 0, result.stdout + result.stderr
    assert lines[0] == "A/A check of noisy: 1 gate sound; trials dealt to two sides 60 times"
    assert lines[1].split() == [
        "gate", "n", "trials", "false", "alarm", "share", "95%", "CI", "inconclusive", "noise", "detects",
    ]  # fmt: skip
    assert re.fullmatch(
        r"test_qa.py::test_0 exact_match +60 +4 +regressed +\d+\.\d% +\[\d+\.\d, \d+\.\d\] +\d+\.\d% +"
        r"\d\.\d pp +-\d+\.\d pp \(\d+ of 60\)",
        lines[2],
    )
    assert lines[3:] == [
        "not compared, as they have no A/A check (at_least): test_qa.py::test_1 exact_match",
    ]
    assert not (noisy.path / "llmval-out").exists()


def test_no_file_is_named_that_is_gone_afterwards(noisy):
    """The reports of the run are read and removed; of a run with pytest itself they stay, and are named."""
    gates(noisy, GATE)
    of_pytest = noisy.run("--llmval-trials=4", versions=("noisy", "noisy"))

    result = aa(noisy, "--model-version=noisy")

    of_pytest.stdout.fnmatch_lines(["summary: llmval-out*summary.md"])
    assert "SHOWN: noisy -> noisy" in result.stdout
    assert "summary:" not in result.stdout
    assert "llmval-aa-" not in result.stdout


def test_a_gate_that_seldom_passes(noisy):
    """Without a margin nothing is ever shown: it is not called sound, but raises no false alarm, hence exit 0."""
    gates(noisy, GATE.replace("0.1", "0.0"))

    result = aa(noisy, "--model-version=noisy")

    lines = report(result)
    assert result.returncode == 0
    assert lines[0] == "A/A check of noisy: 1 of 1 gate seldom passes; trials dealt to two sides 60 times"
    assert re.fullmatch(
        r"test_qa.py::test_0 exact_match: seldom passes: inconclusive in \d+% of the splits although nothing changed: "
        "more cases or a wider margin",
        lines[3],
    )


def test_the_same_seed_gives_the_same_report(noisy):
    """Answers are taken over from the first run, and trials are dealt alike; another seed deals otherwise."""
    gates(noisy, GATE)

    first, again, other = (report(aa(noisy, "--model-version=noisy", f"--seed={seed}")) for seed in (3, 3, 4))

    assert first == again
    assert first != other


def test_greedy_repeats_measure_nothing(shop):
    """The default suite is greedy: no interval, no noise, and the sentence that says why."""
    result = aa(shop, "--model-version=new", "-k", "gate")

    lines = report(result)
    assert result.returncode == 0
    assert re.search(r"regressed +0\.0% +- +0\.0% +0\.0 pp ", lines[2])
    assert lines[3] == (
        "greedy: repeats are identical, so this measures nothing but says that nothing varies: "
        "test_qa.py::test_gate exact_match"
    )


def test_a_gate_that_cannot_fire(noisy):
    """Two cases are too few whatever happens to them: exit 1 and the verdict's own reason."""
    gates(noisy, GATE)
    noisy.write_cases(count=2)

    result = aa(noisy, "--model-version=noisy")

    lines = report(result)
    assert result.returncode == 1
    assert lines[0].startswith("A/A check of noisy: 1 of 1 gate WRONG; ")
    assert lines[2].endswith(" nothing")
    assert lines[3].startswith("test_qa.py::test_0 exact_match: CANNOT FIRE: with all cases at the worst value, it ")


def test_a_gate_that_cries_wolf(noisy):
    """Must-pass cases that are right in eight trials of ten break by chance alone: exit 1, with the reason."""
    gates(noisy, GATE)
    noisy.write_cases(must_pass=True)

    result = aa(noisy, "--model-version=noisy")

    assert result.returncode == 1
    (line,) = [line for line in report(result) if "CRIES WOLF" in line]
    assert "splits in which nothing changed, where 5% are allowed: must-pass case" in line


def test_tests_that_fail_although_nothing_changed_are_named(noisy):
    """A gate in them may not have been reached."""
    gates(noisy, GATE, "assert False")

    assert report(aa(noisy, "--model-version=noisy"))[-1] == (
        "failed although nothing changed, perhaps before their gates: test_qa.py::test_1"
    )


def test_a_suite_that_compares_nothing(shop):
    """Exit 5, also when its tests pass."""
    result = aa(shop, "--model-version=new", "-k", "each")

    assert result.returncode == 5
    assert result.stdout.splitlines()[-1] == (
        "llmval aa: no gate came to compare new with itself; pytest ended with status 0"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--model-version=new", "--trials=1"), "llmval aa: --trials 1: expected at least 2, one for each of the two "),
        (("--model-version=new", "--splits=0"), "llmval aa: --splits 0: expected at least 1"),
        *(
            (("--model-version=new", f"{option}=9"), f"llmval aa: {option} cannot be given on to pytest: {instead}\n")
            for option, instead in (
                ("--baseline-version", "the version is its own baseline; compare two with pytest itself"),
                ("--llmval-baseline-version", "the version is its own baseline; compare two with pytest itself"),
                ("--llmval-model-version", "name the version with --model-version"),
                ("--llmval-trials", "give the number with --trials"),
                ("--llmval-out", "the reports of the run would read as the verdict on a version, and are not kept"),
            )
        ),
        (("--model-version=new", "--baseline-version", "old"), "llmval aa: --baseline-version cannot be given on"),
        (("--model-version=nwe",), "ERROR: --model-version: unknown model version 'nwe'; did you mean 'new'"),
        (("--model-version=new", "nowhere.py"), "ERROR: file or directory not found: nowhere.py"),
    ],
)
def test_what_is_wrong_with_the_input(shop, args, message):
    """Exit 4 and one line that says so."""
    result = aa(shop, *args)

    assert result.returncode == 4
    assert message in result.stderr


def test_a_run_that_only_infrastructure_failed(shop):
    """No gate came to a verdict, and not because there is none: the status of pytest, which says try later."""
    result = aa(shop, "--model-version=new", "-k", "gate", "--llmval-offline")

    assert result.returncode == 75
    assert result.stdout.splitlines()[-1].endswith("pytest ended with status 75")
