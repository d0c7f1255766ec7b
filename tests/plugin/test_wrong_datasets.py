"""What is wrong in a dataset is a collection error with file and line."""

import pytest


def refused(result, line, *, status=pytest.ExitCode.INTERRUPTED):
    """Collection failed with this message."""
    assert result.ret == status
    result.stdout.fnmatch_lines([f"E *DatasetError: {line}*"])


def test_a_line_that_is_not_json(shop, distribution):
    """File, line and column."""
    with (shop.path / "qa.jsonl").open("a") as lines:
        lines.write("{'id': 1}\n")

    # Workers collect, and pytest-xdist 3.8 ends with 1 when they fail to.
    status = pytest.ExitCode.TESTS_FAILED if distribution else pytest.ExitCode.INTERRUPTED
    refused(shop.run(*distribution), "qa.jsonl:61: not JSON: * at column 2*", status=status)


def test_an_unknown_prompt_field(shop):
    """The nearest field is suggested."""
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import cases
        qa = cases("qa.jsonl", prompt="Q: {qestion}")
        """
    )

    refused(shop.run(), "qa.jsonl:1: prompt names the field 'qestion', which this row lacks; did you mean 'question'?")


def test_duplicate_ids(shop):
    """Both lines are named."""
    shop.write_lines("qa.jsonl", [{"id": "a", "question": text, "answer": "y"} for text in ("x", "z")])

    refused(shop.run(), "qa.jsonl:2 and qa.jsonl:1: two cases with the id 'a'")


def test_identical_rows(shop):
    """Repeating a row is no way to ask twice."""
    shop.write_lines("qa.jsonl", [{"question": "x", "answer": "y"}] * 2)

    refused(shop.run(), "qa.jsonl:2 and qa.jsonl:1: two identical rows")


def test_a_missing_file(shop):
    """The nearest file in the folder is suggested."""
    shop.pytester.makepyfile(test_qa='from pytest_llmval import cases\nqa = cases("qq.jsonl", prompt="{question}")')

    refused(shop.run(), "*qq.jsonl: no such file; did you mean 'qa.jsonl'?")


def test_findings_are_warnings_given_once(shop, distribution):
    """Empty references and duplicate prompts are told once, also with two workers."""
    rows = [{"id": f"a{i}", "question": "what is 1", "answer": ""} for i in range(2)]
    shop.write_lines("qa.jsonl", rows)

    result = shop.run(*distribution, "-k", "each", "-W", "default")

    text = result.stdout.str()
    assert text.count("2 of 2 cases have an empty reference (qa.jsonl:1, qa.jsonl:2); they stay unscored") == 1
    assert text.count("1 prompt occurs more than once") == 1


def test_a_template_that_is_no_text(shop):
    """A function belongs to `messages=`, and the message says so."""
    shop.pytester.makepyfile(
        test_qa='from pytest_llmval import cases\nqa = cases("qa.jsonl", prompt=lambda row: row["question"])'
    )

    result = shop.run()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["E *TypeError: cases(prompt=<function*): expected a format string*; a function of the row goes to messages="]
    )
