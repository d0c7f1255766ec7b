"""Golden answers of whole case sets, and of versions of a model."""

from pathlib import Path

import pytest
import torch  # noqa: F401 - a second run in this process that imports it anew would end the process

import pytest_llmval.fixtures.goldens.assertion  # noqa: F401 - and one that imports this anew would have two kinds of Tol

SETS = """
from pytest_llmval import cases

qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")

@qa.all
def test_all(responses, golden):
    assert responses == golden

@qa.each
def test_each(response, golden):
    assert response == golden
"""
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
MODELS = Path(__file__).parents[2] / "example_suites" / "models"


@pytest.fixture
def kept(shop):
    """A shop with goldens that the version `old` wrote."""
    shop.pytester.makepyfile(test_qa=SETS)
    shop.run("--snapshot-update", versions=("old",)).assert_outcomes(passed=61)
    return shop


def golden_text(shop):
    return (shop.path / "__snapshots__" / "test_qa.golden").read_text()


def test_a_case_set_has_one_golden_with_each_case(kept, distribution):
    """Another version with the same answers passes; of each case there is one entry too where each is a test."""
    result = kept.run(*distribution, versions=("new",))

    result.assert_outcomes(passed=61)
    result.stdout.fnmatch_lines(["61 snapshots passed."])
    text = golden_text(kept)
    assert text.count("# name: test_all\n") == 1
    assert text.count("# name: test_each[") == 60
    assert text.count('"case": "q') == 60


def test_differing_cases_are_counted_and_listed_worst_first(kept):
    """The worst with its differences, who wrote it and who answers now; the next by their rule, the rest counted."""
    lines = [{"prompt": f"what is {i}", "text": f"it is {i}"} for i in range(60)]
    lines[7]["text"] = "no idea whatever"
    for i in range(20, 35):
        lines[i]["text"] = f"it is {i}!"
    kept.add_version("worse")
    kept.write_lines("worse.jsonl", lines)

    result = kept.run("-k", "all", versions=("worse",))

    result.assert_outcomes(failed=1, deselected=60)
    result.stdout.re_match_lines(
        [
            r"E +ModelRegression: 16 of 60 answers differ from their goldens",
            r"E +case 'q7':",
            r"E +\[-it is 7-\]\{\+no idea whatever\+\}",
            r"E +rule: exact: the text differs",
            r"E +written .*; version: old \(fingerprint \w{12}\) -> worse \(fingerprint \w{12}\)",
            r"E +case 'q20':",
            r"E +it is 20\{\+!\+\}",
            r"E +case 'q21': exact: the text differs",
            r"E +and 6 more",
            r"E +golden 'test_all' in __snapshots__/test_qa.golden",
            r"E +to accept: pytest --snapshot-update --model-version=worse test_qa.py::test_all",
        ]
    )


def test_an_update_keeps_the_cases_that_still_pass(kept, distribution):
    """Within a set the entry of a case is rewritten only when its answer differs."""
    kept.add_version("worse", wrong=(7,))

    updated = kept.run("--snapshot-update", "-k", "all", *distribution, versions=("worse",))

    updated.stdout.fnmatch_lines(["1 snapshot updated."])
    written_by = [line for line in golden_text(kept).split("\n") if '"origin"' in line]
    assert sum('"version": "worse"' in line for line in written_by) == 1
    assert kept.run("-k", "all", *distribution, versions=("worse",)).ret == 0


def test_new_and_missing_cases_are_said_and_accepted(kept, distribution):
    """A set that is not the one of the golden is not passed by the cases they share."""
    rows = [{"id": f"q{i}", "question": f"what is {i}", "answer": f"it is {i}"} for i in range(2, 60)]
    kept.write_lines("qa.jsonl", [*rows, {"id": "extra", "question": "what is 1", "answer": "it is 1"}])

    result = kept.run("-k", "all", *distribution, versions=("new",))
    kept.run("-k", "all", "--snapshot-update", *distribution, versions=("new",))

    result.stdout.fnmatch_lines(
        [
            "E * InvalidComparison: 1 case has no golden: 'extra'",
            "E * 2 goldens are of cases that are not asked any more: 'q0', 'q1'",
        ]
    )
    assert kept.run("-k", "all", *distribution, versions=("new",)).ret == 0
    entry = golden_text(kept).partition("# name: test_all\n")[2].partition("# ---")[0]
    assert entry.count('"case": "q') == 58
    assert entry.count('"case": "extra"') == 1


def test_unanswered_cases_are_infrastructure_unless_an_answer_differs(kept):
    """Nothing that failed to run is good or bad, and a regression is said all the same."""
    kept.add_version("down", failed=(3, 4))
    kept.add_version("worse", failed=(3,), wrong=(7,))

    down = kept.run("-k", "all", versions=("down",))
    updated = kept.run("-k", "all", "--snapshot-update", versions=("down",))
    worse = kept.run("-k", "all", versions=("worse",))

    for result in (down, updated):
        assert result.ret == 75
        result.stdout.fnmatch_lines(
            ["E *ServerError: there is no answer to case 'q3', *: the server hung up (2 of 60 responses have none)"]
        )
    assert worse.ret == 1
    worse.stdout.fnmatch_lines(
        ["E * ModelRegression: 1 of 59 answers differ* from * golden*", "E * there is no answer to case 'q3', *"]
    )


def test_a_changed_prompt_template_is_refused_for_each_case(kept):
    """The scripted server answers the same; it is not asked the same."""
    kept.pytester.makepyfile(test_qa=SETS.replace('prompt="{question}"', 'prompt="{question}", max_tokens=9'))

    result = kept.run("-k", "all", versions=("new",))

    result.stdout.fnmatch_lines(
        [
            "E * InvalidComparison: 60 of 60 answers are not comparable: what is asked changed",
            "E * max_tokens: 64 -> 9",
            "E * case 'q2': max_tokens changed",
        ]
    )


SERVED = """
def test_quarter(llm, golden):
    answer = llm.generate("Question: When does the shop open?\\nAnswer:", max_tokens=6, logprobs=2)
    assert answer == golden

def test_option(llm, golden):
    assert llm.choose("The shop opens at", [" nine", " ten"]) == golden
"""


@pytest.mark.models
def test_a_real_model_is_kept_with_tokens_logprobs_and_fingerprint(shop):
    """Written by one run of v1 and passed by the next, option and all; v1 under another name is said to answer now."""
    shop.pytester.makepyfile(test_qa=SERVED)
    (shop.path / "llmval.toml").write_text(
        f'[models.v1]\nserver = "transformers"\nmodel = "{MODELS / "v1"}"\ndtype = "float32"\n'
    )

    written = shop.pytester.runpytest_subprocess(*QUIET, "--model-version=v1", "--snapshot-update")
    compared = shop.pytester.runpytest_subprocess(*QUIET, "--model-version=v1")

    written.assert_outcomes(passed=2)
    compared.assert_outcomes(passed=2)
    text = golden_text(shop)
    rows = text.partition('"tokens": [\n')[2].partition("\n      ],")[0].split("\n")
    assert 1 <= len(rows) <= 6
    assert all(row.count("[") == 4 for row in rows)  # the row, its alternatives, and two of them
    assert '"prompt": [\n        "Question: When does the shop open?\\n",\n        "Answer:"\n      ],' in text
    assert '"choice": {"index": ' in text
    assert text.count('"version": "v1", "fingerprint": "') == 2
