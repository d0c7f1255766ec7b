"""Options of a multiple-choice row: an integer answer is an index, a string the choice itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.case_sets.options import options_of
from pytest_llmval.case_sets.rows import Row
from pytest_llmval.errors import DatasetError


def right_option(options, gold, place="quiz.jsonl:1"):
    """Options and index of a row with these fields."""
    return options_of(Row({"options": options, "gold": gold}, place), "{options}", "{gold}")


@given(st.lists(st.text(min_size=1), min_size=2, unique=True), st.data())
@settings(deadline=None)
def test_index_and_option_name_the_same_choice(options, data):
    """Both ways of writing the answer agree, whatever the options are."""
    if options[0].lstrip().startswith("["):
        return
    index = data.draw(st.integers(0, len(options) - 1))

    assert right_option(options, index) == right_option(options, options[index]) == (tuple(options), index)


def test_numbers_as_options():
    """They are written out; an integer answer stays an index, a string is the option."""
    assert right_option([10, 20, 30], 1) == (("10", "20", "30"), 1)
    assert right_option([10, 20, 30], "10") == (("10", "20", "30"), 0)


@pytest.mark.parametrize("place", ["quiz.csv:2", "QUIZ.CSV:2"])
def test_in_a_csv_file_a_number_that_is_no_option_is_an_index(place):
    """There all is text; the options are a JSON list."""
    assert right_option('["red", "blue"]', "1", place) == (("red", "blue"), 1)
    assert right_option('["red", "blue"]', "red", place) == (("red", "blue"), 0)


def test_in_a_csv_file_a_number_that_is_an_option_is_that_option():
    """`2` among 1, 2, 3 is the option and not the third one."""
    assert right_option("[1, 2, 3]", "2", "quiz.csv:2") == (("1", "2", "3"), 1)


def test_outside_a_csv_file_text_is_no_index():
    """A string is the choice itself."""
    with pytest.raises(DatasetError, match=r"^quiz\.jsonl:1: answer='1'; expected an index from 0 to 1"):
        right_option(["red", "blue"], "1")


@pytest.mark.parametrize("answer", [2, -1, "green", None, 1.0, True, ["red"]])
def test_an_answer_that_is_no_option(answer):
    """The rule and the options are listed; a bool is no index."""
    with pytest.raises(DatasetError) as caught:
        right_option(["red", "blue"], answer)

    assert str(caught.value) == (
        f"quiz.jsonl:1: answer={answer!r}; expected an index from 0 to 1 as an integer, or one of 'red', 'blue'"
    )


@pytest.mark.parametrize("options", [["red"], [], "red", None, {"a": 1, "b": 2}])
def test_too_few_options(options):
    """One option is no choice."""
    with pytest.raises(DatasetError) as caught:
        right_option(options, 0)

    assert str(caught.value) == f"quiz.jsonl:1: choices={options!r}; expected a list of at least 2 options"


@pytest.mark.parametrize("options", [["red", "red"], ["red", ""], [1, "1"]])
def test_options_that_are_equal_or_empty(options):
    """Equal options cannot both be wrong and right."""
    with pytest.raises(DatasetError) as caught:
        right_option(options, 0)

    assert str(caught.value) == (
        f"quiz.jsonl:1: choices={options!r}; options must differ from each other and not be empty"
    )


def test_options_in_a_csv_file_that_are_no_json():
    """The reason is the parser's."""
    with pytest.raises(
        DatasetError, match=r"^quiz\.csv:2: choices='\[red, blue\]'; expected a JSON list: Expecting value$"
    ):
        right_option("[red, blue]", "0", "quiz.csv:2")
