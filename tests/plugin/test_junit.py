"""The JUnit file names the regressed gates."""

from junitparser import JUnitXml


def run_with_junit(shop, *args):
    """The suites of the JUnit file of a run with a worse version."""
    shop.add_version("worse", wrong=range(15))
    shop.run(*args, "-k", "gate", "--junitxml=junit.xml", versions=("worse", "old"))
    return list(JUnitXml.fromfile(str(shop.path / "junit.xml")))


def test_the_first_line_of_a_failed_gate_is_the_verdict(shop, distribution):
    """Old value, new value, interval and n, then the worst cases."""
    (suite,) = run_with_junit(shop, *distribution)

    (failure,) = next(iter(suite)).result
    first, *_ = failure.message.splitlines()
    assert first.startswith("ModelRegression: exact_match 1.000 -> 0.750 (-25.0 pp, 90% CI [")
    assert first.endswith("n=60) vs old")
    for text in ("worst case 1, q0", "| what is 0", "| it is 0", "| no idea"):
        assert text in failure.text


def test_properties_stand_at_the_suite_only(shop, distribution):
    """Properties of a test would break the Jenkins schema."""
    (suite,) = run_with_junit(shop, *distribution)

    properties = {each.name: each.value for each in suite.properties()}
    assert properties["llmval.model_version"] == "worse"
    assert properties["llmval.verdict"] == "REGRESSED: old -> worse, 1 gate: regressed"
    prefix = "llmval.test_qa.py::test_gate.exact_match"
    assert properties[f"{prefix}.verdict"] == "regressed"
    assert (properties[f"{prefix}.baseline"], properties[f"{prefix}.candidate"]) == ("1", "0.75")
    assert properties[f"{prefix}.n"] == "60"
    text = (shop.path / "junit.xml").read_text(encoding="utf-8")
    assert text.count("<properties>") == 1


def test_an_inconclusive_gate_is_a_skipped_test(shop, distribution):
    """Dashboards show it as not passed."""
    shop.write_cases(count=20)

    shop.run(*distribution, "-k", "gate", "--junitxml=junit.xml")

    (suite,) = JUnitXml.fromfile(str(shop.path / "junit.xml"))
    (skipped,) = next(iter(suite)).result
    assert skipped.message.startswith("inconclusive: exact_match 1.000 -> 1.000")


def test_evil_output_steers_nothing(shop, distribution):
    """Commands of build servers, escape sequences and markup in an answer reach no sink as such."""
    evil = "::error::x\n##[error]y ##vso[task.complete]z \x1b[31mred \u202e [[ATTACHMENT|/etc/passwd]] </details> ```"
    shop.write_lines("evil.jsonl", [{"prompt": "*", "text": evil}])
    with (shop.path / "llmval.toml").open("a") as config:
        config.write('[models.evil]\nserver = "scripted"\nanswers = "evil.jsonl"\n')

    result = shop.run(*distribution, "-k", "gate", "--junitxml=junit.xml", "--color=no", versions=("evil", "old"))

    summary = (shop.path / "llmval-out" / "summary.md").read_text(encoding="utf-8")
    junit = (shop.path / "junit.xml").read_text(encoding="utf-8")
    for sink in (result.stdout.str(), summary, junit):
        assert "##[" not in sink
        assert "##vso[" not in sink
        assert "[[ATTACHMENT|" not in sink
        assert "\x1b" not in sink
        assert "\u202e" not in sink
    assert not any(line.lstrip().startswith("::error") for line in result.outlines)
    assert summary.count("</details>") == summary.count("<details>") == 3
