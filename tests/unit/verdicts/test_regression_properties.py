"""What holds for any comparison."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval.scoring.score import Unscored
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.verdict import Outcome

FAILED = Unscored("timed out", failed=True)
ORDER = (
    Outcome.INVALID,
    Outcome.REGRESSED,
    Outcome.INCONCLUSIVE,
    Outcome.WORSE_WITHIN_MARGIN,
    Outcome.EQUIVALENT,
    Outcome.IMPROVED,
)

margins = st.sampled_from([0.0, 0.01, 0.05, 0.2, 0.5])
shares = st.floats(0, 1)
passes = st.sampled_from([0.0, 1.0])
MOST_CLUSTERS = 12


def pairs_of(values, least=1):
    """Candidate and baseline values of 60 cases at most."""
    return st.lists(st.tuples(values, values), min_size=least, max_size=60)


def pairs_of_any_kind(least=1):
    """The name of a kind, and pairs of its values."""
    kinds = {"graded": shares, "binary": passes, "nats": st.floats(-5, 5)}
    return st.one_of(*(st.tuples(st.just(kind), pairs_of(values, least)) for kind, values in kinds.items()))


graded_pairs, binary_pairs = pairs_of(shares), pairs_of(passes)
any_pairs = pairs_of_any_kind()


@pytest.fixture(scope="session")
def sides(graded, binary, nats):
    """Candidate and baseline from a kind and a list of pairs."""
    builders = {"graded": graded, "binary": binary, "nats": nats}

    def build(drawn, **fields):
        kind, pairs = drawn
        candidate, baseline = zip(*pairs, strict=True)
        return builders[kind](candidate, **fields), builders[kind](baseline, **fields)

    return build


@given(any_pairs)
def test_the_interval_contains_the_difference(sides, drawn):
    """An interval contains its estimate."""
    verdict = decide_regression(*sides(drawn))

    assert verdict.low - 1e-12 <= verdict.delta <= verdict.high + 1e-12


@given(any_pairs)
def test_the_interval_is_never_a_point(sides, drawn):
    """Finitely many cases are never certain."""
    verdict = decide_regression(*sides(drawn))

    assert verdict.high > verdict.low


@given(any_pairs)
def test_swapping_the_sides_mirrors_everything(sides, drawn):
    """Candidate for baseline: the difference and its interval change sign."""
    candidate, baseline = sides(drawn)

    forth, back = decide_regression(candidate, baseline), decide_regression(baseline, candidate)

    assert forth.delta == pytest.approx(-back.delta, abs=1e-9)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


@given(any_pairs, margins, margins)
def test_a_wider_margin_never_turns_a_pass_into_a_failure(sides, drawn, first, second):
    """Tolerating more can only help."""
    candidate, baseline = sides(drawn)

    narrow = decide_regression(candidate, baseline, margin=min(first, second))
    wide = decide_regression(candidate, baseline, margin=max(first, second))

    assert wide.passed or not narrow.passed


@given(any_pairs, margins, st.sampled_from([0.05, 0.01, 0.0001]))
def test_correction_never_makes_a_pass_of_a_regression(sides, drawn, margin, level):
    """A stricter level turns regressed into inconclusive and touches nothing else."""
    candidate, baseline = sides(drawn)

    alone = decide_regression(candidate, baseline, margin=margin).outcome
    corrected = decide_regression(candidate, baseline, margin=margin, alpha_adjusted=level).outcome

    assert corrected in ({alone, Outcome.INCONCLUSIVE} if alone is Outcome.REGRESSED else {alone})


@given(
    st.one_of(st.tuples(st.just("graded"), graded_pairs), st.tuples(st.just("binary"), binary_pairs)),
    st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=4),
    margins,
)
def test_cases_the_candidate_failed_never_improve_a_verdict(sides, drawn, failed, margin):
    """Neither the difference nor the outcome gets better by crashes, wherever they fall."""
    kind, pairs = drawn

    before = decide_regression(*sides(drawn), margin=margin)
    after = decide_regression(*sides((kind, [*pairs, *((FAILED, value) for value in failed)])), margin=margin)

    assert ORDER.index(after.outcome) <= ORDER.index(before.outcome)
    assert after.delta is None or after.delta <= before.delta + 1e-12


@given(binary_pairs, st.data(), margins)
def test_a_crash_in_place_of_an_answer_never_improves_a_binary_verdict(sides, pairs, data, margin):
    """Whatever the answer was, no answer is no better."""
    place = data.draw(st.integers(0, len(pairs) - 1))
    crashed = [*pairs[:place], (FAILED, pairs[place][1]), *pairs[place + 1 :]]

    before = decide_regression(*sides(("binary", pairs)), margin=margin)
    after = decide_regression(*sides(("binary", crashed)), margin=margin)

    assert ORDER.index(after.outcome) <= ORDER.index(before.outcome)


@given(pairs_of_any_kind(MOST_CLUSTERS), st.integers(5, MOST_CLUSTERS))
def test_clustered_intervals_contain_the_difference_too(sides, drawn, count):
    """The same claims hold for declared clusters."""
    clusters = tuple(f"g{place % count}" for place in range(len(drawn[1])))
    candidate, baseline = sides(drawn, clusters=clusters)

    forth, back = decide_regression(candidate, baseline), decide_regression(baseline, candidate)

    assert forth.low - 1e-12 <= forth.delta <= forth.high + 1e-12
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


@given(any_pairs)
def test_needed_cases_are_more_than_there_are(sides, drawn):
    """An inconclusive gate asks for more, or says that more would not help; a decided one asks for nothing."""
    verdict = decide_regression(*sides(drawn))

    if verdict.outcome is not Outcome.INCONCLUSIVE:
        assert verdict.needed_cases is None
    elif verdict.needed_cases is None:
        assert "more cases would not" in verdict.reason
    else:
        assert verdict.needed_cases > verdict.counts.compared
        assert f"about {verdict.needed_cases} case" in verdict.reason
