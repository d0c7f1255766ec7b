"""`strategies.perturbed`: changed values for property tests."""

from __future__ import annotations

import pytest
from hypothesis import Phase, find, settings
from hypothesis.errors import NoSuchExample

from pytest_llmval.case_sets.perturbing.letter_case import letter_case
from pytest_llmval.case_sets.perturbing.option_order import option_order
from pytest_llmval.case_sets.perturbing.paraphrases import paraphrases
from pytest_llmval.case_sets.perturbing.typos import typos
from pytest_llmval.case_sets.perturbing.white_space import white_space
from pytest_llmval.strategies import perturbed

SEARCH = settings(
    max_examples=200, derandomize=True, database=None, deadline=None, phases=[Phase.generate, Phase.shrink]
)
QUESTION = "How long can I return an item?"


def test_they_shrink_towards_fewer_and_earlier_changes():
    """Of up to six typos the one that is looked for is left, and the first of those that do."""
    assert find(perturbed(QUESTION, typos(most=6)), lambda text: "return" not in text, settings=SEARCH) == (
        "How long can I rteurn an item?"
    )
    assert find(perturbed(QUESTION, typos(most=6)), lambda _: True, settings=SEARCH) == "Hwo long can I return an item?"


def test_changes_that_it_takes_together_stay():
    """Two words have to be wrong."""
    found = find(
        perturbed(QUESTION, typos(most=6)),
        lambda text: "return" not in text and "item" not in text,
        settings=SEARCH,
    )

    assert found == "How long can I rteurn an ietm?"


def test_no_change_is_made_twice():
    """Of nine places with more white space none gets two blanks more."""
    with pytest.raises(NoSuchExample):
        find(perturbed("a b c", white_space(most=9)), lambda text: "   " in text.strip(), settings=SEARCH)


def test_the_row_is_given_to_the_relation():
    """For relations that look at it."""
    row = {"paraphrases": ["Is it open?"], "options": ["pen", "ink"]}

    assert find(perturbed("Open?", paraphrases(), row), lambda _: True, settings=SEARCH) == "Is it open?"
    assert (
        find(perturbed("pen or ink?", option_order("options"), row), lambda _: True, settings=SEARCH) == "ink or pen?"
    )


def test_a_value_in_which_nothing_can_be_changed():
    """There is nothing to draw."""
    with pytest.raises(
        ValueError, match=r"^letter_case\(\) changes nothing in '42\?'; expected a value in which there"
    ):
        perturbed("42?", letter_case())
