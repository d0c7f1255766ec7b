"""Perturbed case sets in a suite: the rate of violations as a gate, and items of their own."""

import pytest

N = 60
IMPORTS = """
from pytest_llmval import assert_at_most, assert_no_regression, cases
from pytest_llmval.case_sets.perturbing.letter_case import letter_case
from pytest_llmval.case_sets.perturbing.option_order import option_order
from pytest_llmval.case_sets.perturbing.typos import typos
from pytest_llmval.scoring.consistency.searching import search_violation
from pytest_llmval.scoring.consistency.violations import violations

qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")
"""
GATES = """
shouted = qa.perturbed(letter_case())

@shouted.all
def test_rate(responses):
    assert_at_most(violations(responses), 0.35)

@shouted.all
def test_versions(responses, baseline_responses):
    assert_no_regression(violations(responses), violations(baseline_responses))
"""


@pytest.fixture
def cased(shop):
    """Versions that know each question as it is and With Capitals; `new` knows half of those IN CAPITALS as well."""

    def answers(heard):
        for i in range(N):
            loud = i < heard
            yield from (
                {"prompt": prompt, "text": f"it is {i}"}
                for prompt in (f"what is {i}", f"What Is {i}", f"WHAT IS {i}")[: 3 if loud else 2]
            )
        yield {"prompt": "*", "text": "no idea"}

    shop.write_lines("old.jsonl", answers(0))
    shop.write_lines("new.jsonl", answers(N // 2))
    return shop


def write_suite(shop, text):
    """The suite of the test."""
    shop.pytester.makepyfile(test_qa=IMPORTS + text)


def test_the_rate_of_violations_with_its_interval(cased, distribution):
    """Of two perturbations one fails in half of the cases: (30 · 0 + 30 · ½) / 60 = 0.25; the baseline's is 0.5.

    Student's interval: ± 1.671 · 0.25 / √59 = ± 0.054.
    """
    write_suite(cased, GATES)

    result = cased.run(*distribution)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines_random(
        [
            "test_qa.py::test_rate violations of letter_case * bar 0.350 * 0.250 * [[]0.196, 0.304[]] * 60 * reached",
            "test_qa.py::test_versions violations of letter_case * 0.500 * 0.250 * 60 * improved",
        ]
    )
    assert cased.verdicts()["test_qa.py::test_rate"]["evidence"]["candidate"]["ids"] == [f"q{i}" for i in range(N)]


def test_a_failed_gate_shows_which_change_it_was(cased, distribution):
    """With the answers of both sides, each to the question as it is and to the changed one."""
    write_suite(cased, GATES)

    result = cased.run(*distribution, versions=("old", "new"))

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*ModelRegression: violations of letter_case 0.250 -> 0.500 (-25.0 pp, *",
            "*worst case 1, q0 -*",
            "score: 0.000 -> 0.500",
            "| what is 0",
            "baseline:",
            "| it is 0",
            "candidate:",
            "| it is 0",
            "| in upper case (q0~letter_case-*):",
            "| no idea",
        ]
    )


def test_perturbations_are_items(cased, distribution):
    """By their ids, with the case they were made from and the change in words; selected like any other."""
    write_suite(
        cased,
        """
        @qa.perturbed(letter_case(), times=1).each
        def test_each(case, response):
            assert case.origin is None or (case.id, case.change) == (f"{case.origin}~letter_case-1", "in upper case")
            assert response.text == case["answer"]
        """.replace("\n        ", "\n").replace("times=1", "times=2"),
    )

    result = cased.run("-v", *distribution, "-k", "q7")

    result.stdout.fnmatch_lines_random(
        ["*test_qa.py::test_each[[]q7[]]*", "*test_qa.py::test_each[[]q7~letter_case-1[]]*"]
    )


def test_a_later_run_replays(cased, distribution):
    """The perturbed questions are the same in each run and under any distribution."""
    write_suite(cased, GATES)

    cased.run()
    again = cased.run(*distribution, "--llmval-offline")

    again.assert_outcomes(passed=2)
    again.stdout.fnmatch_lines(
        [f"{name}: 0 answers measured, 180 replayed from an earlier run" for name in ("new", "old")]
    )


def test_sampled_answers(cased):
    """Trial by trial: asked twice, the rate is that of asking once, since a script repeats itself."""
    write_suite(cased, GATES)

    result = cased.run("--llmval-trials=2", "-k", "test_rate")

    result.stdout.fnmatch_lines(["test_qa.py::test_rate violations of letter_case * 0.250 *"])
    assert cased.verdicts()["test_qa.py::test_rate"]["evidence"]["candidate"]["trials"] == 2


def test_a_perturbation_that_crashes(cased):
    """One in sixty cases fails, at the worst bound: 0.25 + (1 − 0) / 60."""
    write_suite(cased, GATES)
    path = cased.path / "new.jsonl"
    lines = path.read_text().replace('"What Is 0", "text"', '"What Is 0", "error": "hung up", "text"')
    path.write_text(lines)

    result = cased.run("-k", "test_rate")

    result.stdout.fnmatch_lines(["test_qa.py::test_rate violations of letter_case * 0.267 *"])


def test_a_case_set_that_is_not_perturbed(cased):
    """The test fails with what to ask instead."""
    write_suite(cased, "@qa.all\ndef test_rate(responses):\n    assert_at_most(violations(responses), 0.2)\n")

    result = cased.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*no response is to a perturbation; ask a perturbed case set, such as faq.perturbed(*"]
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            'typos(), field="qestion"',
            "field= names the field 'qestion', which this row lacks; did you mean 'question'?",
        ),
        ("typos(), times=0", "qa.perturbed(times=0): expected a whole number of at least 1"),
        ("typos", "qa: the function typos is no relation; expected what a call such as typos() gives"),
        ('option_order(), field="question"', "option_order changes lists of at least 2 options, not 'what is 0'"),
    ],
)
def test_a_relation_that_cannot_be_meant(cased, call, message):
    """Collection stops; no model is asked."""
    write_suite(cased, f"wrong = qa.perturbed({call})\n\n@wrong.all\ndef test_rate(responses): ...\n")

    result = cased.run()

    assert result.ret != pytest.ExitCode.OK
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{message.replace('[', '[[]')}*"])
    assert not (cased.path / ".llmval").exists()


SEARCH = """
def test_search(llm):
    assert search_violation(llm, qa, letter_case()) is None
"""


def test_a_violation_that_is_found_is_shown(cased, distribution):
    """Where the search is asserted to find none: the case, the change, both questions and both answers."""
    write_suite(cased, SEARCH)

    result = cased.run(*distribution, versions=("old",))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * assert q0: letter_case changes the answer (3 questions asked)",
            "E * change:   in upper case",
            "E * question: 'what is 0'",
            "E * answer:   'it is 0'",
            "E * changed:  'WHAT IS 0'",
            "E * answer:   'no idea'",
        ]
    )


def test_a_search_among_answers_that_are_not_recorded(cased):
    """Offline it says so; it does not take that for a violation, nor for none."""
    write_suite(cased, SEARCH)

    result = cased.run("--llmval-offline", versions=("old",))

    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*--llmval-offline: old has no recorded answers to *'what is 0'*"])


def test_a_violation_found_beside_a_question_that_failed(cased, distribution):
    """Offline it is found again, though the answer that failed is not recorded for a later run."""
    path = cased.path / "old.jsonl"
    path.write_text(path.read_text().replace('"What Is 0", "text"', '"What Is 0", "error": "too long", "text"'))
    write_suite(cased, SEARCH)

    first = cased.run(*distribution, versions=("old",))
    later = cased.run(*distribution, "--llmval-offline", versions=("old",))

    for run in (first, later):
        run.assert_outcomes(failed=1)
        run.stdout.fnmatch_lines(["E * assert q0: letter_case changes the answer (* questions asked)"])
        run.stdout.fnmatch_lines(["E * changed:  'WHAT IS 0'"])
