"""`results.json`: a run for machines, without what its readers may not see or do not need."""

import json
from collections import Counter

import pytest

from pytest_llmval.reports.results import EXIT_MEANINGS, Ending, results_json
from pytest_llmval.reports.summary import Asked
from pytest_llmval.verdicts.verdict import CaseChange, Counts

ENDING = Ending(1, "2026-11-21T10:00:00Z", "2026-11-21T10:00:09Z", "../.llmval/runs/r1/verdicts.jsonl")
CONFIDENTIAL = "a confidential answer"


def refuse(constant):
    """Fail on NaN and Infinity, which are no JSON."""
    pytest.fail(f"{constant} in JSON")


def read(summary, ending=ENDING):
    """The contents of the file."""
    return json.loads(results_json(summary, ending), parse_constant=refuse)


def test_a_run(summary, gate):
    """Every field that a reader may rely on."""
    told = summary(
        gate("regressed", counts=Counts(100, 93, failed=1, unscored=4, missing=2)),
        datasets=["faq@1"],
        tests=Counter(passed=7, failed=1),
        failed_tests={"suites/test_faq.py::test_a"},
        asked={"v2": Asked(99, 1, 0, 5, 4, 3, prompt_tokens=900, completion_tokens=300, cost=0.25)},
    )

    found = read(told)
    (told_gate,) = found.pop("gates")

    assert found == {
        "schema": 1,
        "run_id": "r1",
        "candidate": "v2",
        "baseline": "v1",
        "baseline_origin": "",
        "answer": "REGRESSED",
        "headline": "REGRESSED: v1 -> v2, 1 gate: regressed",
        "strict": False,
        "is_complete": True,
        "exit": {"status": 1, "meaning": "a test failed"},
        "counts": {
            "tests": {"passed": 7, "failed": 1, "error": 0, "skipped": 0},
            "cases": {"failed": 1, "unscored": 4, "missing": 2},
            "answers": {"measured": 99, "replayed": 1, "failed": 5, "truncated": 4, "empty": 3},
        },
        "failed_tests": ["suites/test_faq.py::test_a"],
        "asked": {
            "v2": {
                "measured": 99,
                "replayed": 1,
                "failed": 5,
                "truncated": 4,
                "empty": 3,
                "prompt_tokens": 900,
                "completion_tokens": 300,
                "cost": 0.25,
                "server_deaths": [],
            }
        },
        "datasets": ["faq@1"],
        "verdicts": "../.llmval/runs/r1/verdicts.jsonl",
        "started_at": "2026-11-21T10:00:00Z",
        "ended_at": "2026-11-21T10:00:09Z",
    }
    assert told_gate["test"] == "suites/test_faq.py::test_a"
    assert (told_gate["outcome"], told_gate["delta"], told_gate["low"]) == ("regressed", -0.01, -0.02)
    assert told_gate["counts"] == {"cases": 100, "compared": 93, "failed": 1, "unscored": 4, "missing": 2}


def test_prompts_answers_and_scores_stay_out(summary, gate):
    """Of the worst cases the ids; scores of cases are in verdicts.jsonl."""
    worst = CaseChange("c7", 1.0, 0.0, CONFIDENTIAL, CONFIDENTIAL, CONFIDENTIAL, CONFIDENTIAL)
    told = summary(gate("regressed", worst=(worst,), evidence={"gate": 2, "candidate": {"values": [CONFIDENTIAL]}}))

    (told_gate,) = read(told)["gates"]

    assert told_gate["worst"] == ["c7"]
    assert told_gate["number"] == 2
    assert "evidence" not in told_gate
    assert CONFIDENTIAL not in results_json(told, ENDING)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_what_is_no_number_in_json_is_text(summary, gate, value):
    """A limit may have been exceeded beyond all measure."""
    (told_gate,) = read(summary(gate("invalid", candidate=value)))["gates"]

    assert told_gate["candidate"] == str(value)


def test_a_run_without_model_and_gates(summary):
    """No path, no beginning."""
    found = read(summary(), Ending(5, None, "2026-11-21T10:00:09Z"))

    assert (found["verdicts"], found["started_at"], found["gates"]) == (None, None, [])
    assert found["exit"]["meaning"] == "no test came to a result"


def test_a_status_of_another_plugin(summary):
    """It is told as it is."""
    assert read(summary(), Ending(99, None, ""))["exit"] == {"status": 99, "meaning": "set by another plugin"}
    assert set(EXIT_MEANINGS) == {0, 1, 2, 3, 4, 5, 75}


def test_the_file_is_plain_ascii(summary, gate):
    """Case ids and test names are data: they steer no terminal that shows the file."""
    text = results_json(summary(gate(test="t.py::x[\x1b[31m\u202e]", headline="\x9b5i")), ENDING)

    assert text.isascii()
    assert not any(ord(character) < 32 and character != "\n" for character in text)
