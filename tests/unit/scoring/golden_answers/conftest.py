"""Measures that need no library."""

from __future__ import annotations

import pytest
from hypothesis import settings

from pytest_llmval.scoring.golden.judging import judge
from pytest_llmval.scoring.golden.measures import Measures

settings.register_profile("golden answers", deadline=None, derandomize=True, max_examples=150)
settings.load_profile("golden answers")


def share_of_letters(ours, theirs):
    """Letters that both have, of those that one has."""
    return len(set(ours) & set(theirs)) / max(1, len(set(ours) | set(theirs)))


@pytest.fixture(scope="session")
def measures():
    """Measures that are simple enough to be seen through."""
    names = {"whitespace": lambda text: " ".join(text.split())}
    return Measures(
        rouge_l=share_of_letters,
        cosine=lambda _, ours, theirs: 2 * share_of_letters(ours, theirs) - 1,
        refuse_missing=lambda _: None,
        normaliser=lambda given: given if callable(given) else names[given],
    )


@pytest.fixture(scope="session")
def judged(measures):
    """Gives what a tolerance says of an answer and its golden."""

    def judgement(tolerance, golden, actual):
        return judge(tolerance, golden, actual, measures)

    return judgement
