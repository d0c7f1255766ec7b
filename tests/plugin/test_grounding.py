"""Gates on groundedness, citations and consistency, as a suite uses them."""

import shutil
from pathlib import Path

import pytest

from pytest_llmval.scoring.grounding.judge import question_about
from pytest_llmval.scoring.grounding.support import Claim

V1 = Path(__file__).parents[2] / "example_suites" / "models" / "v1"
N = 60

SUITE = """
from pytest_llmval import assert_at_least, assert_no_regression, cases
from pytest_llmval.scoring.consistency.self_consistency import self_consistency
from pytest_llmval.scoring.grounding.citations import citations_exist
from pytest_llmval.scoring.grounding.groundedness import claim_support, groundedness
from pytest_llmval.scoring.grounding.judge import by_judge
from pytest_llmval.scoring.grounding.overlap import by_overlap

qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")
"""
BY_JUDGE = """
@qa.all
def test_grounded(responses, baseline_llm):
    assert_at_least(groundedness(responses, by_judge(baseline_llm)), 0.8)
"""


@pytest.fixture
def judged(shop):
    """The shop with a context for each question, and a version `judge` that says of each claim what it is told."""
    rows = [
        {"id": f"q{i}", "question": f"what is {i}", "answer": f"it is {i}", "context": [f"One is {i}.", "x"]}
        for i in range(N)
    ]
    shop.write_lines("qa.jsonl", rows)
    shop.add_version("judge")
    shop.pytester.makepyfile(test_qa=SUITE + BY_JUDGE)

    def judge(said):
        """A suite whose judge says `said(i)` of the i-th claim."""
        answers = [
            {"prompt": question_about(Claim(claim, (f"One is {i}.", "x"))), "text": said(i)}
            for i in range(N)
            for claim in (f"it is {i}", "no idea")
        ]
        shop.write_lines("judge.jsonl", answers)
        return shop

    return judge


def run(shop, *args):
    """The suite with `new` under test and `judge` beside it."""
    return shop.run(*args, versions=("new", "judge"))


def test_a_judge_is_asked(judged, distribution):
    """A model version judges each claim, serially and under xdist; the verdict says who judged."""
    shop = judged(lambda i: "SUPPORTED" if i % 30 else "CONTRADICTED")

    result = run(shop, *distribution)

    result.assert_outcomes(passed=1)
    verdict = shop.verdicts()["test_qa.py::test_grounded"]
    assert verdict["counts"]["cases"] == N
    assert verdict["candidate"] == pytest.approx(58 / 60)
    assert verdict["evidence"]["candidate"]["basis"]["judge"].startswith("judge ")
    assert [change["id"] for change in verdict["worst"]] == ["q0", "q30"]


def test_unsupported_claims_are_shown(judged, distribution):
    """The failure names claims without support and what the judge called them."""
    shop = judged(lambda i: "NOT STATED" if i < 40 else "supported.")

    result = run(shop, *distribution)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*groundedness*0.8*", "*1 of 1 claims without support: 'it is 0' (not stated)*"])


def test_a_judge_that_does_not_decide(judged):
    """Answers without a label are no scores; more than 5 % of them make the gate invalid, with the reason."""
    shop = judged(lambda i: "SUPPORTED" if i % 5 else "Hard to say")

    result = run(shop)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*InvalidComparison*"])
    unscored = shop.verdicts()["test_qa.py::test_grounded"]["evidence"]["candidate"]["unscored"]
    assert len(unscored) == 12
    expected = "expected one of 'SUPPORTED', 'CONTRADICTED', 'NOT STATED', of the claim 'it is 5'"
    assert unscored["q5"]["reason"] == f"the judge said 'Hard to say'; {expected}"


def test_a_judge_that_fails(judged):
    """A judge without an answer is no verdict on the model."""
    shop = judged(lambda _: "SUPPORTED")
    shop.write_lines("judge.jsonl", [{"prompt": "*", "error": "rate limit"}])

    result = run(shop)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the judge failed: rate limit*"])


def test_support_in_a_message(judged):
    """The claims of one answer, for an assertion of one's own."""
    shop = judged(lambda _: "SUPPORTED")
    body = """
@qa.each
def test_each(response):
    (found,) = claim_support(response, by_overlap())
    assert (found.label, found.evidence) == ("supported", f"One is {found.claim.removeprefix('it is ')}.")
"""
    shop.pytester.makepyfile(test_qa=SUITE + body)

    run(shop, "-k", "q3").assert_outcomes(passed=11)  # q3 and q30 to q39


CONSISTENT = """
steady = cases("qa.jsonl", prompt="{question}", trials=4, temperature=0.7)
asked_once = cases("qa.jsonl", prompt="{question}", temperature=0.7)

@steady.all
def test_consistent(responses):
    assert_at_least(self_consistency(responses), 0.8)

@asked_once.all
def test_asked_once(responses):
    assert_at_least(self_consistency(responses), 0.8)
"""


def test_consistency_over_trials(shop, distribution):
    """Trials of a case are compared with each other; a set that is asked once says how to ask."""
    shop.pytester.makepyfile(test_qa=SUITE + CONSISTENT)
    shop.write_lines("new.jsonl", [{"prompt": "*", "texts": ["It is so.", "it is  SO."]}])

    result = shop.run(*distribution, versions=("new",))

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*asked only once; ask with cases(*, trials=5, temperature=0.7)*"])
    assert shop.verdicts()["test_qa.py::test_consistent"]["candidate"] == 1.0


def test_inconsistency(shop):
    """A model whose answers differ from trial to trial fails the bar."""
    shop.pytester.makepyfile(test_qa=SUITE + CONSISTENT)
    shop.write_lines("new.jsonl", [{"prompt": "*", "texts": [f"answer {n}" for n in range(5)]}])

    result = shop.run("-k", "test_consistent", versions=("new",))

    result.assert_outcomes(failed=1)
    found = shop.verdicts()["test_qa.py::test_consistent"]["candidate"]
    # Five answers by chance agree once in five; 60 cases of 6 pairs have a standard error of 0.4/√360 = 0.021.
    assert found == pytest.approx(0.2, abs=0.08)


CITED = """
@qa.all
def test_cited(responses, baseline_responses):
    ours, theirs = (citations_exist(each, "context") for each in (responses, baseline_responses))
    assert_no_regression(ours, theirs)
"""


def test_invented_citations(judged):
    """A version that cites what it was not given regresses, and the failure names the citation."""
    shop = judged(lambda _: "SUPPORTED")
    shop.pytester.makepyfile(test_qa=SUITE + CITED)
    shop.write_lines("old.jsonl", [{"prompt": "*", "text": "So it is [1], [2]."}])
    shop.write_lines("new.jsonl", [{"prompt": "*", "text": "So it is [1], [7]."}])

    result = shop.run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*citations_exist*1.000 -> 0.500*"])


NEAR = """
from pytest_llmval.scoring.text.embedding import embedding_similarity

@qa.all
def test_near(responses, baseline_responses):
    ours, theirs = (embedding_similarity(each, "encoders/small") for each in (responses, baseline_responses))
    assert_no_regression(ours, theirs)
"""


@pytest.mark.models
def test_an_encoder_beside_the_suite(shop, distribution):
    """The folder of an encoder is relative to the test file; answers that are further from the references regress.

    In a process of its own: torch cannot be imported anew in this one.
    """
    shutil.copytree(V1, shop.path / "suite" / "encoders" / "small")
    (shop.path / "suite" / "test_near.py").write_text(SUITE.replace("qa.jsonl", "../qa.jsonl") + NEAR)
    shop.write_lines("new.jsonl", [{"prompt": "*", "text": "no idea"}])

    result = shop.run_subprocess("suite", *distribution)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*embedding_similarity 1.000 -> 0.*"])
