"""SelfCheck: how surprising an answer is beside other answers to the same question."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval import Response, Unscored, assert_no_regression
from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.consistency.selfcheck import selfcheck, unigram_surprise
from pytest_llmval.servers.exchange import Decoding

HOST = "Michael Alan Weiner (born March 31, 1942) is an American radio host."
PASSAGE = f"{HOST} He is the host of The Savage Nation."
SAMPLES = (
    f"{HOST} He is the host of The Savage Country.",
    "Michael Alan Weiner (born January 13, 1960) is a Canadian radio host. He works at The New York Times.",
    f"{HOST} He obtained his PhD from MIT.",
)


@pytest.fixture(scope="module")
def sampled(responses_to):
    """A function from answers, case by case, to a response set that was asked with temperature 0.7."""

    def make(*answers, trials):
        found = responses_to(*answers, trials=trials)
        return replace(found, case_set=replace(found.case_set, decoding=Decoding(temperature=0.7)))

    return make


def test_published_example():
    """The README of github.com/potsawee/selfcheckgpt, `selfcheck_ngram` with n=1 (methodology T43).

    It cuts the sentences' numbers after six decimals, hence the tolerance of one there.
    """
    found = unigram_surprise(PASSAGE, SAMPLES)

    assert found.averages == pytest.approx((3.184312, 3.279774), abs=1e-6)
    assert found.maxima == pytest.approx((3.476098, 4.574710), abs=1e-6)
    assert found.average == pytest.approx(3.218678904916201, abs=1e-12)
    assert found.max == pytest.approx(4.025404834169327, abs=1e-12)


def test_by_hand():
    """Of `a b. a` with the sample `A c`: counts a 3, b 1, . 1, c 1 of 6; sentences `a b.` and `a`."""
    found = unigram_surprise("a b. a", ["A c"])

    rare, often = math.log(6), math.log(2)
    assert found.averages == pytest.approx(((often + 2 * rare) / 3, often))
    assert found.maxima == pytest.approx((rare, often))
    assert found.average == pytest.approx((2 * often + 2 * rare) / 4)
    assert found.max == pytest.approx((rare + often) / 2)


@given(st.text("ab. \n", min_size=1).filter(str.strip), st.lists(st.text("abc. "), min_size=1, max_size=4))
def test_laws(passage, samples):
    """Nothing is less surprising than certainty, an average lies within its parts, and samples have no order."""
    found = unigram_surprise(passage, samples)

    assert min(found.averages) - 1e-9 <= found.average <= max(found.maxima) + 1e-9
    assert all(-1e-12 <= mean <= most + 1e-9 for mean, most in zip(found.averages, found.maxima, strict=True))
    assert unigram_surprise(passage, samples[::-1]) == found


def test_a_model_that_makes_things_up(sampled):
    """What differs from trial to trial is more surprising than what is repeated; the first answer is looked at."""
    repeated = ["The shop opens at nine."] * 4
    invented = [f"The shop opens at {hour}." for hour in ("nine", "four", "two", "noon")]

    steady, loose = selfcheck(sampled(*repeated, *invented, trials=4)).values

    assert steady < loose
    assert steady == pytest.approx(unigram_surprise(repeated[0], repeated[1:]).average)
    assert loose == pytest.approx(unigram_surprise(invented[0], invented[1:]).average)


def test_kinds(sampled):
    """`average` is over tokens and `max` over the rarest token of each sentence; nats, lower is better, no bounds."""
    responses = sampled(PASSAGE, *SAMPLES, trials=4)

    average, most = selfcheck(responses), selfcheck(responses, kind="max")

    assert average.values == (pytest.approx(3.218678904916201),)
    assert most.values == (pytest.approx(4.025404834169327),)
    assert (average.name, most.name) == ("selfcheck_average", "selfcheck_max")
    assert (average.unit, average.kind, average.bounds) == ("nats", "unbounded", None)
    assert not average.higher_is_better
    assert (average.trials, average.by_trial) == (1, None)


def test_cases_without_a_value(sampled, responses_to):
    """One trial, greedy trials, an empty first answer and a failed one have no value; empty samples are samples."""
    hint = "ask with cases(…, trials=5, temperature=0.7)"

    assert selfcheck(sampled("a", trials=1)).values == (Unscored(f"asked only once; {hint}"),)
    assert selfcheck(responses_to("a", "a", trials=2)).values == (
        Unscored(f"greedy answers and choices repeat one computation; {hint}"),
    )
    assert selfcheck(sampled(" ", "a", "a", Response.failed("x"), "a", "", trials=2)).values == (
        Unscored("the first answer is empty"),
        Unscored("x", failed=True),
        0.0,
    )


def test_another_number_of_trials(sampled):
    """The value grows with the samples, so versions that were asked more often are not compared."""
    three, two = (sampled(*["a b c"] * 60 * trials, trials=trials) for trials in (3, 2))

    assert_no_regression(selfcheck(three), selfcheck(three), margin=0.1)
    with pytest.raises(InvalidComparison, match="metric version"):
        assert_no_regression(selfcheck(three), selfcheck(two), margin=0.1)


def test_long_answers_and_half_characters(sampled):
    """A megabyte and a lone surrogate are texts like others."""
    (value,) = selfcheck(sampled("nine. " * 160_000 + "\ud83d", "nine", trials=2)).values

    assert value == pytest.approx(math.log(2), abs=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: unigram_surprise("a", []),
            r"^unigram_surprise\(samples=\[\]\): expected a list of at least one text$",
        ),
        (
            lambda: unigram_surprise("a", "b"),
            r"^unigram_surprise\(samples='b'\): expected a list of at least one text$",
        ),
        (lambda: unigram_surprise(" ", ["b"]), r"^unigram_surprise\(passage=' '\): no token in it$"),
        (lambda: selfcheck([], kind="mean"), r"^selfcheck\(kind='mean'\): .*known: 'average', 'max'"),
    ],
)
def test_wrong_arguments(call, message):
    """What cannot be used is shown with what would be right."""
    with pytest.raises(ValueError, match=message):
        call()
