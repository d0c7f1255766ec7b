"""Gates that compare two versions, as a suite writes them: margins, gains, likeness, answers, slices, exactly these."""

import json

import pytest

from pytest_llmval.verdicts.evidence import verdict_to_dict
from pytest_llmval.verdicts.recompute import recompute

ASSERTS = (
    "assert_at_least, assert_at_most, assert_equivalent, assert_improved, assert_no_regression, assert_same_answers"
)
SCORES = "exact_match(responses), exact_match(baseline_responses)"
ASKED = 'cases("qa.jsonl", prompt="{question}", reference="{answer}")'


def gates(shop, *bodies, asked=ASKED):
    """Replace the suite by one test a gate: `test_0`, `test_1` and so on."""
    tests = "".join(
        f"\n@qa.all\ndef test_{number}(responses, baseline_responses):\n    {body}\n"
        for number, body in enumerate(bodies)
    )
    text = f"from pytest_llmval import {ASSERTS}, cases, exact_match\nqa = {asked}\n{tests}"
    (shop.path / "test_qa.py").write_text(text, encoding="utf-8")


def outcomes(shop):
    """The outcome of each test's gate."""
    return {test.rpartition("::")[2]: verdict["outcome"] for test, verdict in shop.verdicts().items()}


FOUR = (
    f"assert_no_regression({SCORES}, relative_margin=0.05)",
    f"assert_improved({SCORES})",
    f"assert_equivalent({SCORES})",
    "assert_same_answers(responses, baseline_responses)",
)


def test_an_equal_version_keeps_to_all_but_has_not_improved(shop, distribution):
    """60 equal answers are enough for 5 % of 1.0 to both sides (52 are), and show no gain."""
    gates(shop, *FOUR)

    result = shop.run(*distribution, "-rs")

    result.assert_outcomes(passed=3, skipped=1)
    assert outcomes(shop) == {
        "test_0": "equivalent",
        "test_1": "inconclusive",
        "test_2": "equivalent",
        "test_3": "equivalent",
    }
    result.stdout.fnmatch_lines(
        ["*not shown better by more than 0 pp: the interval reaches -4.3 pp; more cases would*"]
    )


def test_a_worse_version_fails_them_all(shop, distribution):
    """A quarter of the answers lost: every reason names what was asked for."""
    shop.add_version("worse", wrong=range(15))
    gates(shop, *FOUR)

    result = shop.run(*distribution, versions=("worse", "old"))

    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines_random([
        "E*ModelRegression: exact_match 1.000 -> 0.750 (-25.0 pp, *, n=60) vs old",
        "E*shown worse, and not shown to stay within the margin of 5% of the baseline, 5 pp",
        "E*shown worse, and not shown to stay within the margin of 5 pp to both sides",
        "E*ModelRegression: same_answers: 45 of 60 cases vs old, 15 flips: 'q0', 'q1', 'q2' and 12 more",
        "E*answered differently: 'q0', 'q1', 'q2' and 12 more",
    ])  # fmt: skip


def test_a_better_version_has_improved_and_is_not_alike(shop, distribution):
    """A quarter of the answers gained: more than ten points, and more than five points apart."""
    shop.add_version("weak", wrong=range(15))
    gates(
        shop,
        f"assert_improved({SCORES}, minimum=0.1)",
        f"assert_equivalent({SCORES})",
        f"assert_improved({SCORES}, minimum=0.5)",
    )

    result = shop.run(*distribution, versions=("new", "weak"))

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines_random([
        "E*shown better, and not shown to stay within the margin of 5 pp to both sides",
        "E*shown to improve by less than 50 pp",
    ])  # fmt: skip


def test_gains_that_crash_do_not_make_versions_alike(shop):
    """Three of 60 gained; when these crash instead, nothing says that the versions are alike."""
    shop.add_version("weak", wrong=range(3))
    shop.add_version("crashing", failed=range(3))
    gates(shop, f"assert_equivalent({SCORES})")

    shop.run(versions=("crashing", "weak"))

    (verdict,) = shop.all_verdicts()
    assert (verdict["outcome"], verdict["counts"]["failed"], verdict["delta"]) == ("inconclusive", 3, 0.0)


def test_flips_are_shown_with_both_answers(shop, distribution):
    """Prompt, expectation, old and new answer of each."""
    shop.add_version("worse", wrong=[7])
    gates(shop, "assert_same_answers(responses, baseline_responses)")

    result = shop.run(*distribution, versions=("worse", "old"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*q7*", "prompt:", "| what is 7", "baseline:", "| it is 7", "candidate:", "| no idea"])
    (verdict,) = shop.all_verdicts()
    assert verdict["evidence"]["flips"] == ["q7"]


def test_texts_may_be_normalised(shop):
    """Another case and blanks around are another text, unless they are taken away."""
    loud = [{"prompt": f"what is {place}", "text": f" IT IS {place}\n"} for place in range(60)]
    shop.add_version("loud")
    shop.write_lines("loud.jsonl", loud)
    gates(
        shop,
        "assert_same_answers(responses, baseline_responses)",
        "assert_same_answers(responses, baseline_responses, normalise=lambda text: text.strip().lower())",
    )

    shop.run(versions=("loud", "old")).assert_outcomes(passed=1, failed=1)


def test_a_share_of_flips_is_shown_or_not(shop, distribution):
    """One flip of 60 is shown to be below 10 %, and not to be below 2 %: 133 equal answers are needed for that."""
    shop.add_version("worse", wrong=[7])
    gates(
        shop,
        "assert_same_answers(responses, baseline_responses, max_share=0.1)",
        "assert_same_answers(responses, baseline_responses, max_share=0.02)",
    )

    result = shop.run(*distribution, "-rs", versions=("worse", "old"))

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*inconclusive: same_answers: 59 of 60 cases vs old, 1 flip: 'q7'*"])


def test_options_are_compared_and_not_their_likelihood(shop):
    """Of 60 questions with two options one is answered by the other option; all likelihoods differ a little."""
    rows = [
        {"id": f"q{place}", "question": f"what is {place}", "options": ["a", "b"], "gold": place % 2}
        for place in range(60)
    ]
    shop.write_lines("quiz.jsonl", rows)
    for name, shift, flipped in (("first", 0.0, []), ("second", 0.25, []), ("third", 0.0, [5])):
        shop.add_version(name)
        logprobs = [[-2.0, -1.0] if place in flipped else [-1.0 - shift, -2.0] for place in range(60)]
        answers = [{"prompt": f"what is {place}", "logprobs": each} for place, each in enumerate(logprobs)]
        shop.write_lines(f"{name}.jsonl", answers)
    asked = 'cases("quiz.jsonl", prompt="{question}", choices="{options}", answer="{gold}")'
    gates(shop, "assert_same_answers(responses, baseline_responses)", asked=asked)

    shop.run(versions=("second", "first")).assert_outcomes(passed=1)
    result = shop.run(versions=("third", "first"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ModelRegression: same_answers: 59 of 60 cases vs first, 1 flip: 'q5'"])


def test_a_case_the_baseline_failed_is_left_out(shop):
    """Also when the candidate fails it as well; a case that only the candidate failed is a flip."""
    shop.add_version("shaky", failed=[3])
    gates(shop, "assert_same_answers(responses, baseline_responses)")

    shop.run(versions=("shaky", "shaky")).assert_outcomes(passed=1)
    shop.run(versions=("new", "shaky")).assert_outcomes(passed=1)
    result = shop.run(versions=("shaky", "old"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*answered differently: 'q3'"])


TWICE = 'cases("qa.jsonl", prompt="{question}", reference="{answer}", temperature=0.7, trials=4)'


@pytest.fixture
def noisy(shop):
    """The shop with two versions that are right in eight and in four trials of ten, whatever is asked."""
    for name, right in (("eight", 8), ("four", 4)):
        shop.add_version(name)
        texts = [["no idea", "it is {}"][number < right] for number in range(10)]
        answers = [{"prompt": f"what is {i}", "texts": [text.format(i) for text in texts]} for i in range(60)]
        shop.write_lines(f"{name}.jsonl", answers)
    return shop


def test_exactly_these_cases_are_judged_by_their_trials(noisy, distribution):
    """60 cases with four trials of a coin are known to ±.05: a loss of .4 is seen, and that 8 in 10 is above a half."""
    gates(
        noisy,
        f'assert_no_regression({SCORES}, estimand="suite", margin=0.1)',
        f'assert_equivalent({SCORES}, estimand="suite")',
        f'assert_improved({SCORES}, estimand="suite")',
        'assert_at_least(exact_match(baseline_responses), 0.5, estimand="suite")',
        asked=TWICE,
    )

    noisy.run(*distribution, versions=("four", "eight")).assert_outcomes(passed=1, failed=3)

    verdicts = noisy.all_verdicts()
    assert {verdict["method"] for verdict in verdicts} == {"suite_t"}
    assert {verdict["evidence"]["parameters"]["estimand"] for verdict in verdicts} == {"suite"}


def test_single_trials_cannot_judge_exactly_these_cases(shop, distribution):
    """The message says what to write."""
    gates(shop, f'assert_no_regression({SCORES}, estimand="suite")')

    result = shop.run(*distribution)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "E*InvalidComparison: exact_match cannot be decided vs old",
        "E*estimand='suite' judges by the noise between trials of a case, and each was asked once; expected cases*=2*",
    ])  # fmt: skip


def labelled(shop):
    """Sixty questions on two topics, the first third of them tagged `long`."""
    rows = [
        {
            "id": f"q{place}",
            "question": f"what is {place}",
            "answer": f"it is {place}",
            "topic": "law" if place < 30 else "art",
            "tags": ["long"] if place < 20 else [],
        }
        for place in range(60)
    ]
    shop.write_lines("qa.jsonl", rows)


def test_slices_are_reported_below_a_gate(shop, distribution):
    """Nine of 30 lost in one topic, nine gained in the other: the gate is undecided, and the topic named."""
    labelled(shop)
    shop.add_version("mixed", wrong=range(9))
    shop.add_version("weak", wrong=range(30, 39))
    gates(shop, f'assert_no_regression({SCORES}, by="topic")', f'assert_no_regression({SCORES}, by="tag")')

    result = shop.run(*distribution, "-rs", versions=("mixed", "weak"))

    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*worse in this slice: law (-30.0 pp, n=30, adjusted p=0.0027)*"])
    slices = {test.rpartition("::")[2]: verdict["slices"] for test, verdict in shop.verdicts().items()}
    assert [(each["name"], each["cases"], each["delta"]) for each in slices["test_0"]] == [
        ("law", 30, -0.3),
        ("art", 30, 0.3),
    ]
    assert [(each["name"], each["cases"]) for each in slices["test_1"]] == [("long", 20)]


def test_every_gate_of_a_run_can_be_decided_again(noisy):
    """From `verdicts.jsonl` alone: trials, slices, relative margins and flips included."""
    labelled(noisy)
    gates(
        noisy,
        f'assert_no_regression({SCORES}, relative_margin=0.1, by="topic")',
        f'assert_improved({SCORES}, minimum=0.05, by="tag", estimand="suite")',
        f'assert_equivalent({SCORES}, margin=0.02, by="topic")',
        "assert_same_answers(responses, baseline_responses, max_share=0.3)",
        'assert_at_least(exact_match(responses), 0.5, estimand="suite")',
        asked=TWICE,
    )
    noisy.run(versions=("four", "eight"))

    for kept in noisy.all_verdicts():
        again = json.loads(json.dumps(verdict_to_dict(recompute(kept["evidence"]))))
        decided = {"evidence", "worst"}  # test and gate are added when it is kept; prompts and answers stay behind
        assert {name: again[name] for name in again.keys() - decided} == {
            name: kept[name] for name in again.keys() - decided
        }


WRONG = {
    f"assert_improved({SCORES}, minimum=-0.1)": (
        "minimum=-0.1; expected the gain to be exceeded, 0 or more, in the unit of the metric"
    ),
    f"assert_no_regression({SCORES}, margin=-0.1)": "margin=-0.1; expected 0 or more, in the unit of the metric",
    f"assert_no_regression({SCORES}, relative_margin=2)": (
        "relative_margin=2; expected a share of the baseline between 0 and 1, such as 0.02"
    ),
    f"assert_equivalent({SCORES}, relative_margin=0)": (
        "relative_margin=0; expected a share of the baseline between 0 and 1, such as 0.02"
    ),
    f"assert_no_regression({SCORES}, by='topc')": (
        "exact_match: by='topc', but no case has a field 'topc'; expected one of 'answer', "
    ),
    f"assert_no_regression({SCORES}, by='tag')": (
        "exact_match: by='tag', but no case has a tag; expected one of 'answer', "
    ),
    f"assert_equivalent({SCORES}, estimand='x')": (
        "estimand='x'; expected 'population' (cases like these) or 'suite' (exactly these)"
    ),
    "assert_at_least(exact_match(responses), 0.5, estimand='x')": (
        "estimand='x'; expected 'population' (cases like these)"
    ),
    "assert_same_answers(responses, baseline_responses, max_share=2)": (
        "max_share=2; expected the share of cases that may be answered differently, from 0 to below 1"
    ),
    f"assert_same_answers({SCORES})": (
        "expected responses, for example the fixtures responses and baseline_responses, got <"
    ),
    "assert_same_answers('yes', 'no')": (
        "expected responses, for example the fixtures responses and baseline_responses, got 'yes'"
    ),
    "assert_improved(responses, baseline_responses)": (
        "expected scores, for example exact_match(responses), got <60 responses of new to qa@"
    ),
    "assert_equivalent(exact_match(responses), baseline_responses)": (
        "expected scores, for example exact_match(responses), got <60 responses of old to qa@"
    ),
}


def test_wrong_input_is_explained(shop, distribution):
    """Each message says what was given and what would be right."""
    gates(shop, *WRONG)

    result = shop.run(*distribution)

    result.assert_outcomes(failed=len(WRONG))
    text = result.stdout.str()
    assert [message for message in WRONG.values() if message not in text] == []


def test_scores_made_by_hand_have_no_slices(shop):
    """They have no cases to read labels from."""
    (shop.path / "test_qa.py").write_text(
        "from pytest_llmval import Scores, assert_no_regression, cases\n"
        f"qa = {ASKED}\n"
        "@qa.all\n"
        "def test_0(responses, baseline_responses):\n"
        "    made = Scores('mine', ids=('a', 'b'), values=(1.0, 1.0))\n"
        "    assert_no_regression(made, made, by='topic')\n",
        encoding="utf-8",
    )

    result = shop.run()

    result.stdout.fnmatch_lines(
        ["*ValueError: mine: by='topic' needs the cases of the scores; expected a metric of `responses`"]
    )


def test_sides_that_are_swapped_are_refused(shop, distribution):
    """By every gate: swapped, a loss would read as a gain."""
    swapped = "exact_match(baseline_responses), exact_match(responses)"
    gates(
        shop,
        f"assert_no_regression({swapped}, relative_margin=0.1)",
        f"assert_improved({swapped})",
        f"assert_equivalent({swapped})",
        "assert_same_answers(baseline_responses, responses)",
    )

    result = shop.run(*distribution)

    result.assert_outcomes(failed=4)
    refusal = (
        "ValueError: the candidate's scores are those of 'old' and the baseline's those of 'new'; expected 'new' first"
    )
    assert result.stdout.str().count(f"E       {refusal}") == 4
