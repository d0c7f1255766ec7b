"""Krippendorff's alpha: any number of raters, missing labels, four levels of measurement."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_llmval.statistics import fleiss_kappa, gwet_ac1, krippendorff_alpha
from pytest_llmval.statistics.intervals import Interval, rare_change_interval, wilson_interval

LEVELS = ["nominal", "ordinal", "interval", "ratio"]
# Rows are raters, columns units, a point is no label.
WIKIPEDIA = [".....34121133.3", "1.213343.......", "..21344.21133.4"]
C_DATA = ["123321412...", "1233224125..", ".33323422513", "12332441251."]

grades = st.one_of(st.none(), st.integers(0, 4))
units_of_grades = st.lists(st.lists(grades, min_size=2, max_size=4), min_size=2, max_size=8)


def units_of(rows):
    """The labels of each unit from the rows of raters."""
    return [[None if label == "." else int(label) for label in unit] for unit in zip(*rows, strict=True)]


def alpha_by_pairs(units, level):
    """The definition, pair by pair: 1 − mean gap within units / mean gap of all labels that have a partner."""
    rated = [[label for label in unit if label is not None] for unit in units]
    rated = [unit for unit in rated if len(unit) > 1]
    everything = [label for unit in rated for label in unit]

    def gap(x, y):
        if level == "nominal":
            return float(x != y)
        if level == "interval":
            return (x - y) ** 2
        if level == "ratio":
            return 0.0 if x == y else ((x - y) / (x + y)) ** 2
        between = sum(everything.count(z) for z in range(min(x, y), max(x, y) + 1))
        return (between - (everything.count(x) + everything.count(y)) / 2) ** 2

    within = sum(gap(x, y) / (len(unit) - 1) for unit in rated for x, y in itertools.permutations(unit, 2)) / len(
        everything
    )
    pairs = [gap(x, y) for x, y in itertools.permutations(everything, 2)]
    return 1 - within / (sum(pairs) / len(pairs))


@pytest.mark.parametrize(
    ("rows", "values"),
    [(WIKIPEDIA, (0.691358, 0.806721, 0.810845, 0.808944)), (C_DATA, (0.743421, 0.815388, 0.849107, 0.797403))],
)
def test_alpha_reproduces_the_published_examples(rows, values):
    """T27: Wikipedia's three raters and 15 units; T28: Krippendorff's C data as in R's irr::kripp.alpha."""
    found = [krippendorff_alpha(units_of(rows), level=level).value for level in LEVELS]

    assert found == pytest.approx(values, abs=5e-7)


def test_resampled_error_is_near_the_linearised_one():
    """Gwet's irrCAC gives the C data a standard error of 0.14548 by linearisation; 1999 draws know theirs to 2 %."""
    assert krippendorff_alpha(units_of(C_DATA), level="nominal").standard_error == pytest.approx(0.14548, rel=0.06)


@given(units_of_grades, st.sampled_from(LEVELS), st.sampled_from([0.05, 0.95]))
@settings(max_examples=60)
def test_alpha_is_its_definition(units, level, confidence):
    """All pairs one by one, labels missing or not; however narrow, the interval holds it."""
    assume(is_defined(units))

    agreement = krippendorff_alpha(units, level=level, confidence=confidence, resamples=20)

    assert agreement.value == pytest.approx(alpha_by_pairs(units, level), abs=1e-9)
    assert agreement.value == pytest.approx((agreement.observed - agreement.expected) / (1 - agreement.expected))
    assert -1 <= agreement.interval.low <= agreement.value <= agreement.interval.high <= 1


def is_defined(units):
    """Whether two units have partners and two labels are in use."""
    rated = [[label for label in unit if label is not None] for unit in units]
    rated = [unit for unit in rated if len(unit) > 1]
    return len(rated) > 1 and len({label for unit in rated for label in unit}) > 1


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=3, max_size=3), min_size=2, max_size=10))
@settings(max_examples=50)
def test_complete_nominal_labels_give_fleiss_corrected_for_size(units):
    """Alpha expects chance without replacement, so α = κ + (1 − κ)/n for n labels in all."""
    assume(is_defined(units))

    alpha, kappa = krippendorff_alpha(units, level="nominal", resamples=20).value, fleiss_kappa(units).value

    assert alpha == pytest.approx(kappa + (1 - kappa) / (3 * len(units)), abs=1e-9)


@given(units_of_grades, st.sampled_from(LEVELS))
@settings(max_examples=40)
def test_the_order_of_raters_and_missing_labels_do_not_matter(units, level):
    """A unit is a bag of labels: turned around, or with a missing one more, it says the same."""
    assume(is_defined(units))

    agreement = krippendorff_alpha(units, level=level, resamples=20)

    assert krippendorff_alpha([[None, *unit[::-1]] for unit in units], level=level, resamples=20) == agreement


@given(units_of_grades, st.integers(1, 9), st.integers(-20, 20))
@settings(max_examples=40)
def test_each_level_ignores_what_it_cannot_see(units, stretch, shift):
    """Interval: stretched and moved. Ratio: stretched. Ordinal: squared. Nominal: any other words."""
    assume(is_defined(units))

    def same(level, function):
        turned = [[None if label is None else function(label) for label in unit] for unit in units]
        values = [krippendorff_alpha(each, level=level, resamples=1).value for each in (units, turned)]
        assert values[0] == pytest.approx(values[1], abs=1e-9)

    same("interval", lambda grade: stretch * grade + shift)
    same("ratio", lambda grade: stretch * grade)
    same("ordinal", lambda grade: grade**2 + shift)
    same("nominal", lambda grade: "zxywv"[grade])


def test_raters_who_never_differ_agree_fully_and_are_not_certain():
    """The value is 1; nominal labels get Wilson's bound of no exception in 20, graded ones that of chance labels."""
    units = [["a", "a"], ["b", "b"]] * 10

    nominal = krippendorff_alpha(units, level="nominal")
    graded = krippendorff_alpha([[ord(label) for label in unit] for unit in units], level="interval")

    bound = wilson_interval(20, 20).low
    assert nominal.value == graded.value == 1.0
    assert nominal.interval.low == pytest.approx((bound - nominal.expected) / (1 - nominal.expected))
    # An item labelled by chance has the agreement expected, so a share z²/(n + z²) of them lowers alpha by as much.
    assert graded.interval.low == pytest.approx(bound)


def test_a_draw_with_one_label_only_is_left_out():
    """Two units, one label each: half of the draws hold one label and have no alpha; the others have 1."""
    agreement = krippendorff_alpha([["a", "a"], ["b", "b"]], level="nominal", resamples=50)

    assert (agreement.value, agreement.standard_error) == (1.0, 0.0)


@pytest.mark.parametrize("level", LEVELS)
def test_each_draw_has_the_alpha_of_the_units_drawn(level):
    """Ranks are those of the draw, too: the spread is that of alphas computed pair by pair, the units' own included."""
    units, random = [unit for unit in units_of(C_DATA) if unit.count(None) < 3], np.random.default_rng(7)
    draws = [[units[place] for place in random.integers(0, len(units), len(units))] for _ in range(5)]

    agreement = krippendorff_alpha(units, level=level, resamples=5, seed=7)

    assert agreement.standard_error == pytest.approx(np.std([alpha_by_pairs(each, level) for each in [units, *draws]]))


def test_few_exceptions_count_by_their_labels():
    """One unit of eight labels, split in half, among twenty of two: a sixth of all labels, and not a 21st."""
    units = [["a", "a"], ["b", "b"]] * 10 + [["a"] * 4 + ["b"] * 4]
    observed, shares = np.array([1.0] * 20 + [3 / 7]), np.array([2 / 48] * 20 + [8 / 48])
    mean = shares @ observed
    likely = rare_change_interval(mean, shares @ (observed - mean) ** 2, 21, Interval(0.0, 1.0), 0.95)

    agreement = krippendorff_alpha(units, level="nominal", resamples=1)

    assert agreement.interval.low == pytest.approx((likely.low - agreement.expected) / (1 - agreement.expected))


def test_the_seed_decides_the_draw():
    """The same seed gives the same interval, another seed one that differs a little."""
    units = units_of(C_DATA) * 3

    first, again, other = (krippendorff_alpha(units, level="nominal", seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first.value == other.value
    assert first.interval != other.interval
    assert first.interval.low == pytest.approx(other.interval.low, abs=0.05)


def test_units_without_a_partner_do_not_count():
    """A label that nobody else gave says nothing about agreement: eleven of the twelve units of the C data count."""
    assert krippendorff_alpha(units_of(C_DATA), level="nominal").items == 11


@pytest.mark.parametrize("seed", range(4))
def test_narrow_interval_holds_its_value(seed):
    """The middle of the draws lies above the value for some seeds, below it for others; the interval includes it."""
    agreement = krippendorff_alpha(units_of(C_DATA) * 3, level="nominal", confidence=0.01, resamples=199, seed=seed)

    assert agreement.interval.low <= agreement.value <= agreement.interval.high
    assert agreement.interval.high - agreement.interval.low < 0.02


def test_confidence_widens_the_interval():
    """More coverage needs more width, draw by draw."""
    narrow, wide = (krippendorff_alpha(units_of(C_DATA) * 3, level="nominal", confidence=c) for c in (0.5, 0.99))

    assert wide.interval.low < narrow.interval.low < narrow.interval.high <= wide.interval.high


@pytest.mark.parametrize(
    ("units", "level", "message"),
    [
        ([["a", "a"], ["b"]], "nominal", "1 items with two labels or more; agreement beyond chance needs at least 2"),
        (
            [[3, 3], [3, 3, None]],
            "ordinal",
            "all 2 units have the label 3 only, so that alpha is 0/0; expected at least 2",
        ),
        ([["low", "mid"]] * 2, "ordinal", "level='ordinal' needs finite numbers, and label 'low' is none"),
        ([[1, 2], [1, math.inf]], "interval", "level='interval' needs finite numbers, and label inf is none"),
        ([[1, 2], [1, -2]], "ratio", "level='ratio' measures from 0, and label -2 lies below; expected 0 or more"),
        ([[1, 2], [1, 2]], "circular", "level='circular', resamples=1999; expected 'nominal', 'ordinal', 'interval'"),
    ],
)
def test_impossible_units_are_refused(units, level, message):
    """Each message says what is wrong and what would be right."""
    with pytest.raises(ValueError, match=message):
        krippendorff_alpha(units, level=level)


def test_impossible_options_are_refused():
    """No draw gives no interval, and percent is no share."""
    with pytest.raises(ValueError, match=r"resamples=0; expected .*, and at least 1 resample"):
        krippendorff_alpha([[1, 2], [1, 1]], level="nominal", resamples=0)
    with pytest.raises(ValueError, match="confidence=95; expected a number between 0 and 1"):
        krippendorff_alpha([[1, 2], [1, 1]], level="nominal", confidence=95)


def test_the_refusal_names_what_is_defined():
    """Where alpha is 0/0, AC1 with named labels is not."""
    assert gwet_ac1([[3, 3], [3, 3]], categories=[1, 2, 3]).value == 1.0
