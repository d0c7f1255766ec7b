"""What a gate's verdict does to its test."""

import re

import pytest

HEADLINE = r"ModelRegression: exact_match 1\.000 -> 0\.750 \(-25\.0 pp, 90% CI \[-\d+\.\d, -\d+\.\d\], n=60\) vs old"


def only_gates(shop, body):
    """Replace the suite by one gate."""
    shop.pytester.makepyfile(
        test_qa=f"""
        from pytest_llmval import assert_at_least, assert_no_regression, cases, exact_match
        qa = cases("qa.jsonl", prompt="{{question}}", reference="{{answer}}")

        @qa.all
        def test_gate(responses, baseline_responses):
            {body}
        """
    )


GATE = "assert_no_regression(exact_match(responses), exact_match(baseline_responses))"


def test_a_regression_fails_with_the_verdict_in_the_first_line(shop, distribution):
    """The headline names metric, old and new value, interval and n; the worst cases stand below it."""
    shop.add_version("worse", wrong=range(15))

    result = shop.run(*distribution, "-k", "gate", versions=("worse", "old"))

    assert result.ret == 1
    assert re.search(rf"^E +{HEADLINE}$", result.stdout.str(), re.MULTILINE)
    result.stdout.fnmatch_lines(
        ["*worst case 1, q0*", "prompt:", "| what is 0", "expected:", "| it is 0", "baseline:", "| it is 0", "*date:"]
    )
    result.stdout.fnmatch_lines(["REGRESSED: old -> worse, 1 gate: regressed"])


def test_an_equivalent_version_passes(shop, distribution):
    """60 equal answers show that no more than 5 points are lost (52 are enough, methodology T53)."""
    result = shop.run(*distribution, "-k", "gate")

    result.assert_outcomes(passed=1, deselected=60 if not distribution else 0)
    result.stdout.fnmatch_lines(["SHOWN: old -> new, 1 gate: equivalent"])


def test_an_inconclusive_gate_skips_its_test(shop, distribution):
    """Too few cases: recorded, reported as skipped, exit 0, and the first line says NOT SHOWN."""
    shop.write_cases(count=20)

    result = shop.run(*distribution, "-rs")

    result.assert_outcomes(passed=20, skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["NOT SHOWN: old -> new, 1 gate: inconclusive"])
    result.stdout.fnmatch_lines(["SKIPPED*test_qa.py:*inconclusive: exact_match 1.000 -> 1.000*n=20*"])


def test_an_inconclusive_gate_fails_under_strict(shop, distribution):
    """`--llmval-strict` turns not shown into a failure."""
    shop.write_cases(count=20)

    result = shop.run(*distribution, "--llmval-strict")

    result.assert_outcomes(passed=20, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["NOT SHOWN: old -> new, 1 gate: inconclusive"])


def test_a_gate_after_an_inconclusive_one_still_runs(shop):
    """Inconclusive raises nothing, so that a later gate of the test is not hidden."""
    shop.write_cases(count=20)
    shop.add_version("worse", wrong=range(2, 8))
    only_gates(shop, f"assert_at_least(exact_match(responses), 0.7); {GATE}")

    result = shop.run(versions=("worse", "old"))

    result.assert_outcomes(failed=1)
    assert [verdict["kind"] for verdict in shop.all_verdicts()] == ["at_least", "no_regression"]


def test_a_verdict_is_returned_and_kept(shop, distribution):
    """`assert_…` gives its verdict; `verdicts.jsonl` has it with the per-case scores."""
    only_gates(shop, f"assert {GATE}.outcome == 'equivalent'")

    shop.run(*distribution).assert_outcomes(passed=1)

    verdict = shop.verdicts()["test_qa.py::test_gate"]
    assert verdict["outcome"] == "equivalent"
    assert verdict["evidence"]["candidate"]["values"] == [1.0] * 60
    assert verdict["evidence"]["candidate"]["ids"][:2] == ["q0", "q1"]


def test_a_bar_that_is_not_reached_fails(shop):
    """`assert_at_least` fails when the whole interval lies below the bar."""
    shop.add_version("worse", wrong=range(30))
    only_gates(shop, "assert_at_least(exact_match(responses), 0.9)")

    result = shop.run(versions=("worse", "old"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ModelRegression: exact_match 0.500 (90% CI *, n=60), bar 0.900*"])


def test_responses_in_place_of_scores_are_explained(shop):
    """The first mistake of a newcomer."""
    only_gates(shop, "assert_no_regression(responses, baseline_responses)")

    result = shop.run()

    result.stdout.fnmatch_lines(
        ["*TypeError: expected scores, for example exact_match(responses), got <60 responses of new to qa@*"]
    )


def test_different_datasets_are_refused(shop):
    """A gate over two case sets is invalid and names what differs."""
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import assert_no_regression, cases, exact_match
        qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")
        kept = []

        @qa.all
        def test_first(baseline_responses):
            kept.append(exact_match(baseline_responses))

        @cases("qa.jsonl", prompt="{question}", reference="{answer}", max_tokens=9).all
        def test_decoding(responses, baseline_responses):
            assert_no_regression(exact_match(responses), kept[0])

        @cases("qa.jsonl", prompt="{question}{id}", reference="{answer}").all
        def test_prompt(responses, baseline_responses):
            assert_no_regression(exact_match(responses), kept[0])

        @cases("qa.jsonl", prompt="{question}", reference="{answer}", where=lambda row: row["id"] != "q3").all
        def test_dataset(responses, baseline_responses):
            assert_no_regression(exact_match(responses), kept[0])
        """
    )

    result = shop.run()

    result.assert_outcomes(passed=1, failed=3)
    text = result.stdout.str()
    assert "InvalidComparison" in text
    for name in ("decoding differs: max_tokens=64, temperature=0 -> max_tokens=9", "prompt differs", "dataset differs"):
        assert name in text


def test_vary_allows_a_named_difference(shop):
    """`--llmval-vary decoding` lets decoding differ; an unknown axis stops with the known ones."""
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import assert_no_regression, cases, exact_match
        kept = []

        @cases("qa.jsonl", prompt="{question}", reference="{answer}").all
        def test_first(baseline_responses):
            kept.append(exact_match(baseline_responses))

        @cases("qa.jsonl", prompt="{question}", reference="{answer}", max_tokens=9).all
        def test_decoding(responses):
            assert_no_regression(exact_match(responses), kept[0])
        """
    )

    shop.run("--llmval-vary=decoding").assert_outcomes(passed=2)
    refused = shop.run("--llmval-vary=decodin")

    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*--llmval-vary 'decodin': did you mean 'decoding'?*"])


@pytest.mark.parametrize(("failed", "outcome"), [(3, "regressed or inconclusive"), (4, "invalid")])
def test_answers_that_failed_never_help(shop, failed, outcome, distribution):
    """Up to 5 % of 60 cases without an answer count as wrong; more make the gate invalid."""
    shop.add_version("weak", wrong=range(10))
    shop.add_version("crashing", wrong=range(10), failed=range(failed))

    shop.run(*distribution, "-k", "gate", versions=("weak", "old"))
    plain = shop.verdicts()["test_qa.py::test_gate"]
    result = shop.run(*distribution, "-k", "gate", versions=("crashing", "old"))
    crashing = shop.verdicts()["test_qa.py::test_gate"]

    assert result.ret == 1
    if outcome == "invalid":
        assert crashing["outcome"] == "invalid"
        result.stdout.fnmatch_lines(["*InvalidComparison*"])
    else:
        assert crashing["delta"] <= plain["delta"]
        assert crashing["outcome"] in ("regressed", "inconclusive")


def test_a_failed_answer_is_an_error_of_its_item(shop, distribution):
    """An item whose case got no answer has an error, not a failure: it is neither good nor bad."""
    shop.add_version("crashing", failed=[5])

    result = shop.run(*distribution, "-k", "each", versions=("crashing", "old"))

    result.assert_outcomes(passed=59, errors=1)
    result.stdout.fnmatch_lines(["crashing gave no answer to case 'q5': the server hung up"])


def test_a_rerun_replaces_the_attempt_before_it(shop):
    """With pytest-rerunfailures a gate that is tried three times is one gate."""
    shop.add_version("worse", wrong=range(15))

    result = shop.run("-k", "gate", "--reruns", "2", versions=("worse", "old"))

    assert result.parseoutcomes()["rerun"] == 2
    result.stdout.fnmatch_lines(["REGRESSED: old -> worse, 1 gate: regressed"])
    lines = (shop.runs[-1] / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1


def test_the_level_counts_gates_before_any_is_deselected(shop, distribution):
    """What it takes to call a version regressed does not depend on `-k`."""
    shop.pytester.makepyfile(
        test_qa="""
        import pytest
        from pytest_llmval import assert_no_regression, cases, exact_match
        qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")

        @pytest.mark.parametrize("number", range(5))
        @qa.all
        def test_gate(responses, baseline_responses, number):
            assert_no_regression(exact_match(responses), exact_match(baseline_responses))
        """
    )

    shop.run(*distribution)
    together = {verdict["alpha_adjusted"] for verdict in shop.verdicts().values()}
    shop.run(*distribution, "-k", "gate and 3")
    alone = {verdict["alpha_adjusted"] for verdict in shop.verdicts().values()}

    assert together == alone
    assert max(together) <= 0.05 / 5


def test_the_table_is_printed_only_when_a_gate_ran(shop):
    """A suite without gates ends as pytest ends."""
    shop.run("-k", "each").stdout.no_fnmatch_line("*=== llmval*")


def test_summary_is_short_and_names_verdict_gates_and_worst_cases(shop, distribution):
    """`summary.md` has the verdict line, the table and at most three cases."""
    shop.add_version("worse", wrong=range(15))

    shop.run(*distribution, versions=("worse", "old"))

    text = (shop.path / "llmval-out" / "summary.md").read_text(encoding="utf-8")
    assert "## REGRESSED: old -> worse, 1 gate: regressed; 15 other tests failed" in text
    assert "| test_qa.py::test_gate exact_match | 1.000 | 0.750 | -25.0 pp |" in text
    assert text.count("<details>") == 3
    assert len(text) < 3000


def test_a_run_that_was_stopped_early_is_never_shown(shop):
    """After Ctrl-C some gates may not have run: the first line says so, whatever the others found."""
    shop.pytester.makepyfile(test_zz="def test_interrupted():\n    raise KeyboardInterrupt")

    result = shop.run_subprocess()

    result.stdout.fnmatch_lines(["STOPPED EARLY: old -> new, 1 gate: equivalent"])
    summary = (shop.path / "llmval-out" / "summary.md").read_text(encoding="utf-8")
    assert "## STOPPED EARLY: old -> new" in summary


def test_a_summary_of_an_earlier_run_is_replaced(shop, distribution):
    """A run in which no gate came to a verdict leaves no old verdict behind to be pasted."""
    shop.run(*distribution)

    shop.run(*distribution, "-k", "each", versions=("new",))

    summary = (shop.path / "llmval-out" / "summary.md").read_text(encoding="utf-8")
    assert "## NOT SHOWN: new, no gates" in summary
    assert "equivalent" not in summary


def test_a_metric_where_lower_is_better_says_so(shop):
    """The sign of a difference is turned so that positive is better: the headline names the direction."""
    only_gates(
        shop,
        "assert_no_regression(words(responses), words(baseline_responses), margin=0.5)",
    )
    suite = shop.path / "test_qa.py"
    words = 'words = scored("words", lambda case, response: len(response.text), bounds=None, higher_is_better=False)'
    suite.write_text(
        suite.read_text().replace("import assert_at_least", "import scored, assert_at_least") + "\n" + words
    )
    shop.add_version("worse", wrong=range(40))
    shop.write_lines("worse.jsonl", [{"prompt": "*", "text": "a much longer answer than before"}])

    result = shop.run(versions=("worse", "old"))

    result.stdout.fnmatch_lines(["*ModelRegression: words * n=60, lower is better) vs old"])


def test_scores_on_the_wrong_side_are_refused(shop):
    """Swapped, a regression would read as an improvement; the same side twice would be equivalent."""
    suite = """
from pytest_llmval import assert_no_regression, cases, exact_match

qa = cases("qa.jsonl", prompt="{question}", reference="{answer}")

@qa.all
def test_swapped(responses, baseline_responses):
    assert_no_regression(exact_match(baseline_responses), exact_match(responses))

@qa.all
def test_twice(responses, baseline_responses):
    assert_no_regression(exact_match(responses), exact_match(responses))
"""
    shop.pytester.makepyfile(test_sides=suite)

    result = shop.run("test_sides.py")

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([
        "*ValueError: the candidate's scores are those of 'old' and *; expected 'new' first*",
        "*ValueError: the candidate's scores are those of 'new' and *; expected 'new' first*",
    ])  # fmt: skip
