"""`prompt={"short": …, "long": …}` with `--llmval-prompt NAME`: the same cases in several wordings."""

import json

import pytest

N = 60

SUITE = """
from pytest_llmval import assert_no_regression, cases, exact_match

qa = cases(
    "qa.jsonl",
    prompt={"short": "{question}", "long": "Please tell me: {question}"},
    reference="{answer}",
)

@qa.each
def test_each(case, response):
    assert response.text == case["answer"]

@qa.all
def test_gate(responses, baseline_responses):
    assert_no_regression(exact_match(responses), exact_match(baseline_responses))
"""
OTHER = """
from pytest_llmval import cases

other = cases("qa.jsonl", prompt={"formal": "Hey, {question}", "casual": "{question}!"})

@other.each
def test_other(response):
    assert response.text
"""


@pytest.fixture
def variants(shop):
    """The shop with a short and a long prompt; both versions are right on both, in other words."""
    shop.pytester.makepyfile(test_qa=SUITE)
    for name in ("old", "new"):
        answers = [
            {"prompt": f"{lead}what is {i}", "text": f"it is {i}"}
            for i in range(N)
            for lead in ("", "Please tell me: ", "Hey, ", "Tell: ")
        ]
        shop.write_lines(f"{name}.jsonl", answers)
    return shop


def prompts(shop):
    """What stands in front of the question in all prompts that the last run asked."""
    files = (shop.runs[-1] / "responses").glob("*.jsonl")
    records = [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    return {record["request"]["prompt"].partition("what is")[0] for record in records}


def stopped(distribution):
    """Exit status of a collection that failed: pytest-xdist 3.8 ends with 1."""
    return pytest.ExitCode.TESTS_FAILED if distribution else pytest.ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("options", "lead"),
    [((), ""), (("--llmval-prompt=long",), "Please tell me: ")],
    ids=["first", "long"],
)
def test_the_named_variant_is_asked(variants, distribution, options, lead):
    """Of all items, `.each` and `.all`, the first variant without the option; the ids are those of the cases."""
    result = variants.run("-v", *distribution, *options)

    result.assert_outcomes(passed=N + 1)
    result.stdout.fnmatch_lines_random(["*test_qa.py::test_each[[]q7[]]*"])
    assert prompts(variants) == {lead}


def test_answers_to_one_variant_are_not_used_for_another(variants, distribution):
    """After a run of the short prompt the long one is measured; only then are there answers to replay."""
    variants.run("--llmval-prompt=short")

    other = variants.run(*distribution, "--llmval-prompt=long")
    again = variants.run("--llmval-prompt=long")

    other.stdout.fnmatch_lines([f"new: {N} answers measured", f"old: {N} answers measured"])
    again.stdout.fnmatch_lines([f"new: 0 answers measured, {N} replayed from an earlier run"])


def test_the_plan_speaks_of_the_named_variant(variants):
    """180 tokens in 60 prompts of three words; `Please tell me:` adds three words to each."""
    for options, tokens in (((), "360"), (("--llmval-prompt=long",), "720")):
        variants.run("--llmval-plan", *options).stdout.fnmatch_lines([f"all *120 *4 *0 *{tokens} *7,680 *"])


def test_a_verdict_names_the_variant(variants):
    """By it a later comparison is refused; the label of the dataset stays as it is."""
    labels = []
    for options in ((), ("--llmval-prompt=long",)):
        variants.run("-k", "gate", *options)
        (verdict,) = variants.all_verdicts()
        basis = verdict["evidence"]["candidate"]["basis"]
        labels.append((basis["dataset"], basis["prompt"].partition(" ")[0]))

    assert [name for _, name in labels] == ["short", "long"]
    assert labels[0][0] == labels[1][0]


def test_a_name_that_no_case_set_has_stops_the_run(variants, distribution):
    """The nearest and the known names; nothing is asked."""
    result = variants.run(*distribution, "--llmval-prompt=lng")

    assert result.ret == stopped(distribution)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR collecting test_qa.py*",
            "--llmval-prompt 'lng': no case set that was collected has a prompt of that name; did you mean 'long'? *",
            "ERROR test_qa.py*",
        ]
    )
    assert not (variants.path / ".llmval").exists()


def test_a_wrong_name_stops_although_errors_are_to_be_ignored(variants):
    """A model is not asked something else in place of what was named."""
    result = variants.run("--llmval-prompt=lng", "--continue-on-collection-errors")

    result.assert_outcomes(errors=1)


def test_case_sets_without_the_name_ask_what_they_have(variants, distribution):
    """One with other variants its first, one without variants its only prompt."""
    plain = SUITE.replace('{"short": "{question}", "long": "Please tell me: {question}"}', '"Tell: {question}"')
    variants.pytester.makepyfile(test_other=OTHER, test_plain=plain)

    result = variants.run(*distribution, "--llmval-prompt=long", "-k", "q7")

    assert result.parseoutcomes()["passed"] == 3

    assert prompts(variants) == {"Please tell me: ", "Hey, ", "Tell: "}


def test_a_suite_without_variants_takes_any_name(shop):
    """The option may stand in the environment of many suites."""
    shop.run("--llmval-prompt=long").assert_outcomes(passed=N + 1)


@pytest.mark.parametrize("place", ["environment", "ini"])
def test_the_environment_and_the_ini_file_name_a_variant(variants, monkeypatch, place):
    """As for every other option."""
    if place == "environment":
        monkeypatch.setenv("LLMVAL_PROMPT", "long")
    else:
        variants.pytester.makeini("[pytest]\nllmval_prompt = long")

    variants.run("-k", "q7")

    assert prompts(variants) == {"Please tell me: "}


def test_wrong_settings_are_said_where_variants_need_them(pytester, monkeypatch, distribution):
    """Without a version and a settings file the variants are what asks for the settings first."""
    monkeypatch.setenv("LLMVAL_STRICT", "ja")
    pytester.makepyfile(SUITE.replace('"qa.jsonl"', '[{"question": "x", "answer": "y"}]'))

    result = pytester.runpytest("-p", "no:cacheprovider", *distribution)

    assert result.ret == stopped(distribution)
    result.stdout.fnmatch_lines(["LLMVAL_STRICT='ja': expected true or false"])


def test_an_argument_that_is_wrong_in_one_variant(variants):
    """The message names the variant."""
    variants.pytester.makepyfile(test_qa=SUITE.replace("me: {question}", "me: {qestion}"))

    result = variants.run()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["E *qa.jsonl:1: prompt[[]'long'[]] names the field 'qestion', which this row lacks; did you mean 'question'?*"]
    )
