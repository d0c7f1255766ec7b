"""A function's text stands for it in hashes, together with what it was made with."""

from functools import partial

import pytest

from pytest_llmval.case_sets.function_source import source_of


def reaches(bar, text):
    """Whether a text is long enough."""
    return len(text) >= bar


def reaching(bar):
    """The same with a bar that is held."""

    def reach(text):
        return len(text) >= bar

    return reach


class Reaching:
    """The same as an object."""

    def __init__(self, bar):
        self.bar = bar

    def __call__(self, text):
        """Whether a text is long enough."""
        return len(text) >= self.bar


BOTH = (lambda text: text + "a", lambda text: text + "b")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (partial(reaches, 1), partial(reaches, 9)),
        (partial(reaches, bar=1), partial(reaches, bar=9)),
        (reaching(1), reaching(9)),
        (reaching(reaching(1)), reaching(reaching(9))),
        (Reaching(1), Reaching(9)),
        BOTH,
        (str.strip, str.lower),
    ],
    ids=["partial", "keywords", "closure", "closure in closure", "object", "lambdas in one line", "built in"],
)
def test_what_it_was_made_with_tells_functions_apart(one, other):
    """Two of one source differ, and each is always told alike."""
    assert source_of(one) != source_of(other)
    assert source_of(one) == source_of(one)


def test_the_same_made_twice():
    """Nothing that changes from process to process is in it, such as the place of an object in memory."""
    assert source_of(reaching([1, "a", None])) == source_of(reaching([1, "a", None]))
    assert source_of(reaching(object())) == source_of(reaching(object()))


def test_a_plain_function_is_its_text():
    """Hashes of before partials and closures counted stay what they were."""
    assert source_of(reaches).startswith("def reaches(bar, text):\n")
    assert source_of(reaches).endswith("return len(text) >= bar\n")


def test_a_function_that_holds_itself():
    """One that calls itself and was made within another, and an object that is its own attribute, have an end."""

    def countdown(number):
        return countdown(number - 1) if number else 0

    own = Reaching(1)
    own.me = own

    assert source_of(countdown) == source_of(countdown)
    assert "countdown" in source_of(countdown)
    assert source_of(own) != source_of(Reaching(1))
