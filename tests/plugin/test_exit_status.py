"""The exit status tells CI what happened."""

import pytest


def test_plain_pytest_skips_and_says_how_to_name_a_version(shop, distribution):
    """Without a version nothing is asked."""
    result = shop.run(*distribution, "-rs", versions=())

    result.assert_outcomes(skipped=61)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["SKIPPED*no model version: name one with --model-version NAME (known: old, new)*"])


def test_plain_pytest_uses_the_defaults(shop, distribution):
    """`[defaults]` names the version of plain `pytest`."""
    with (shop.path / "llmval.toml").open("a") as config:
        config.write('[defaults]\nmodel = "new"\n')

    result = shop.run(*distribution, "-rs", versions=())

    result.assert_outcomes(passed=60, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*no baseline: name one with --baseline-version NAME"])


def test_no_result_is_never_green(shop, distribution):
    """A version was named and every test skipped: exit 5."""
    result = shop.run(*distribution, "-k", "gate", versions=("new",))

    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_only_infrastructure_failed(shop, distribution):
    """Exit 75 when each failure is the server's."""
    shop.add_version("down", failed=range(60))

    result = shop.run(*distribution, "-k", "each", versions=("down",))

    assert result.ret == 75


def test_a_file_that_cannot_be_read_is_no_infrastructure(shop, distribution):
    """Exit 1: nobody would look at a broken test file if its run were to be tried again later."""
    shop.add_version("down", failed=range(60))
    shop.pytester.makepyfile(test_broken="import nothing_of_that_name")

    result = shop.run(*distribution, "-k", "each", "--continue-on-collection-errors", versions=("down",))

    assert result.ret == 1


def test_a_regression_dominates_infrastructure(shop, distribution):
    """One real failure among errors of infrastructure is exit 1."""
    shop.add_version("bad", wrong=[1], failed=[2])

    result = shop.run(*distribution, "-k", "each", versions=("bad",))

    assert result.ret == 1


def test_collecting_only_stays_green(shop):
    """`--collect-only` is no run."""
    assert shop.run("--collect-only", "-q").ret == 0


def test_a_missing_capability_skips_with_its_name(shop, distribution):
    """The scripted server has no logits: the test is skipped with server and capability."""
    shop.pytester.makepyfile(test_logits="def test_logits(llm):\n    llm.logits('x')")

    result = shop.run(*distribution, "-rs")

    result.assert_outcomes(passed=61, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*the scripted server of 'new' lacks the capability 'logits'"])


def test_a_worker_that_dies_says_nothing_of_the_model(shop):
    """It is replaced by xdist, the run goes on, its test failed, and the exit status is that of infrastructure."""
    shop.pytester.makepyfile(test_zz="import os\n\ndef test_dies():\n    os._exit(9)")

    result = shop.run_subprocess("-n", "2")

    assert result.ret == 75
    result.assert_outcomes(passed=61, failed=1)
    result.stdout.fnmatch_lines(["FAILED: old -> new, 1 gate: equivalent; 1 other test failed"])
