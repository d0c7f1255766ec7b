"""Agreement of raters on labels: Cohen's kappa, Fleiss' kappa and Gwet's AC1."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.inter_rater import fleiss_kappa as oracle_fleiss_kappa

from pytest_llmval.statistics import cohen_kappa, fleiss_kappa, gwet_ac1, mcnemar_exact
from pytest_llmval.statistics.intervals import wilson_interval

SAS = [[0, 4, 1], [0, 8, 0], [0, 1, 5]]
ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
WIKIPEDIA = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
# Fleiss (1971), table 1: 30 patients, 6 psychiatrists, diagnoses 1 to 5; one line a patient.
DIAGNOSES = [
    "444444",
    "222555",
    "233335",
    "555555",
    "222444",
    "113333",
    "333355",
    "113334",
    "114444",
    "555555",
    "144444",
    "124444",
    "222333",
    "144444",
    "224445",
    "333335",
    "111455",
    "111112",
    "224444",
    "133555",
    "555555",
    "244444",
    "224555",
    "114444",
    "144445",
    "222224",
    "111155",
    "224444",
    "133333",
    "555555",
]
# distrib.6raters of the R package irrCAC: how many of 6 raters gave each of 5 diagnoses to 15 patients.
PATIENTS = [
    "00060",
    "03003",
    "01401",
    "00006",
    "03030",
    "20400",
    "00402",
    "20310",
    "20040",
    "00006",
    "10050",
    "11040",
    "03300",
    "10050",
    "02031",
]
SYMMETRIC = ["cohen", "fleiss", "ac1"]

labels = st.sampled_from("abc")
columns = st.integers(2, 30).flatmap(
    lambda n: st.tuples(st.lists(labels, min_size=n, max_size=n), st.lists(labels, min_size=n, max_size=n))
)
tables = st.integers(2, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 9), min_size=k, max_size=k), min_size=k, max_size=k)
)


def columns_of(table):
    """The labels of two raters from the table of how often they gave each pair."""
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def rows_of(counts):
    """The labels of each item from how many raters gave each."""
    return [[label for label, count in enumerate(row) for _ in range(int(count))] for row in counts]


def measured(method, first, second):
    """One of the three coefficients for two columns of labels."""
    rows = list(zip(first, second, strict=True))
    return {"cohen": lambda: cohen_kappa(first, second), "fleiss": lambda: fleiss_kappa(rows)}.get(
        method, lambda: gwet_ac1(rows, categories="abc")
    )()


@pytest.mark.parametrize(
    ("table", "kappa"),
    [([[20, 5], [10, 15]], 0.40), ([[45, 15], [25, 15]], 0.130435), ([[25, 35], [5, 35]], 0.259259)],
)
def test_cohen_reproduces_known_tables(table, kappa):
    """T30; the first by hand: observed 35/50 = 0.7, expected (25·30 + 25·20)/50² = 0.5, (0.7 − 0.5)/0.5 = 0.4."""
    assert cohen_kappa(*columns_of(table)).value == pytest.approx(kappa, abs=5e-7)


@pytest.mark.parametrize(
    ("weights", "kappa", "error", "low", "high"),
    [(None, 0.4842, 0.1380, 0.2137, 0.7547), ("linear", 0.4701, 0.1457, 0.1845, 0.7558)],
)
def test_cohen_reproduces_sas(weights, kappa, error, low, high):
    """T31: printout of SAS in the test-suite of statsmodels (test_inter_rater.py, table10)."""
    agreement = cohen_kappa(*columns_of(SAS), weights=weights)

    found = (agreement.value, agreement.standard_error, agreement.interval.low, agreement.interval.high)
    assert found == pytest.approx((kappa, error, low, high), abs=5e-5)


def test_quadratic_weights_reproduce_the_known_value():
    """T31, quadratic, checked by hand: disagreement (5·1 + 1·4)/4/19 observed, 0.215374 expected from the margins."""
    agreement = cohen_kappa(*columns_of(SAS), weights="quadratic")

    assert agreement.value == pytest.approx(1 - (9 / 4 / 19) / 0.2153740, abs=1e-6)
    assert agreement.value == pytest.approx(0.450161, abs=5e-7)


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        ((230, 0, 28, 192), 0.875149),
        ((176, 0, 88, 186), 0.623116),
        ((99, 2, 91, 258), 0.547910),
        ((335, 39, 60, 16), 0.119391),
        ((208, 2, 81, 159), 0.637976),
    ],
)
def test_cohen_reproduces_the_judge_of_xstest(counts, kappa):
    """T39: XSTest v2 completions (CC-BY-4.0), human against GPT-4 as judge of refusals, five models."""
    true_negative, false_positive, false_negative, true_positive = counts

    agreement = cohen_kappa(*columns_of([[true_negative, false_positive], [false_negative, true_positive]]))

    assert agreement.value == pytest.approx(kappa, abs=5e-7)


@pytest.mark.parametrize(("gained", "lost", "p"), [(0, 0, 1.0), (80, 5, 1.8e-18), (0, 43, 2.3e-13)])
def test_mcnemar_reproduces_the_versions_of_xstest(gained, lost, p):
    """T39: the human columns of the paired tables; what a judge alone said is not given as counts."""
    assert mcnemar_exact(gained, lost) == pytest.approx(p, rel=0.03)


@pytest.mark.parametrize(
    ("rows", "kappa", "precision"),
    [
        (rows_of(WIKIPEDIA), 0.210, 5e-4),
        ([list(patient) for patient in DIAGNOSES], 0.4302445, 5e-8),
        (rows_of([[7, 1], [3, 5]]), 0.161905, 5e-7),
    ],
)
def test_fleiss_reproduces_the_published_tables(rows, kappa, precision):
    """T29: Wikipedia; Fleiss (1971) as in R's irr; Randolph's online calculator, its table in statsmodels' suite."""
    assert fleiss_kappa(rows).value == pytest.approx(kappa, abs=precision)


def test_fleiss_and_gwet_reproduce_six_raters():
    """The README of the R package irrCAC, by Gwet: value, standard error and 95 % interval of distrib.6raters."""
    rows = rows_of(PATIENTS)

    for agreement, value, error, low, high in (
        (fleiss_kappa(rows), 0.4139265, 0.08119291, 0.240, 0.588),
        (gwet_ac1(rows), 0.4448007, 0.08418757, 0.264, 0.625),
    ):
        assert (agreement.value, agreement.standard_error) == pytest.approx((value, error), abs=5e-8)
        assert (agreement.interval.low, agreement.interval.high) == pytest.approx((low, high), abs=5e-4)
        assert agreement.observed == pytest.approx(0.5511111, abs=5e-8)


def test_two_raters_reproduce_the_table_of_abstractors():
    """Gwet's irrCAC, cont3x3abstractors. For tables it divides by n where its raw data, and we, divide by n − 1."""
    first, second = columns_of(ABSTRACTORS)
    rows = list(zip(first, second, strict=True))
    by_n = math.sqrt(99 / 100)

    cohen, scott, gwet = cohen_kappa(first, second), fleiss_kappa(rows), gwet_ac1(rows)

    assert (cohen.value, cohen.standard_error) == pytest.approx((0.7964094, 0.05891072), abs=5e-8)
    assert (scott.value, scott.standard_error * by_n) == pytest.approx((0.7962397, 0.05905473), abs=5e-8)
    assert (gwet.value, gwet.standard_error * by_n) == pytest.approx((0.8493305, 0.04321747), abs=5e-8)


def test_high_prevalence_ruins_kappa_and_not_ac1():
    """T32: raters who agree on 118 of 125 items have a kappa of −0.023 and an AC1 of 0.941."""
    first, second = columns_of([[118, 5], [2, 0]])

    assert cohen_kappa(first, second).value == pytest.approx(-0.023392, abs=5e-7)
    assert gwet_ac1(list(zip(first, second, strict=True))).value == pytest.approx(0.940776, abs=5e-7)


@given(tables, st.sampled_from([None, "linear", "quadratic"]))
def test_cohen_agrees_with_statsmodels(table, weights):
    """Value and asymptotic standard error, weighted or not."""
    counts = np.array(table, dtype=float)
    assume(np.count_nonzero(counts.sum(axis=0) + counts.sum(axis=1)) > 1)
    assume(counts.sum() > 1)
    with np.errstate(invalid="ignore"):  # it takes the root of a variance of −1e-17
        oracle = cohens_kappa(counts, wt=weights)

    agreement = cohen_kappa(*columns_of(table), weights=weights)

    assert agreement.value == pytest.approx(oracle.kappa, abs=1e-9)
    assert agreement.standard_error**2 == pytest.approx(max(0.0, oracle.var_kappa), abs=1e-9)


@given(st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=2, max_size=12))
def test_fleiss_agrees_with_statsmodels(rows):
    """Five raters, up to four labels."""
    assume(len({label for row in rows for label in row}) > 1)
    counts = np.array([np.bincount(row, minlength=4) for row in rows])

    assert fleiss_kappa(rows).value == pytest.approx(oracle_fleiss_kappa(counts), abs=1e-9)


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=2, max_size=12))
def test_ac1_is_its_definition(rows):
    """Computed pair by pair with Σ π(1 − π)/(q − 1) by chance, as Gwet (2008) writes it."""
    flat = [label for row in rows for label in row]
    assume(len(set(flat)) > 1)
    pairs = [row[i] == row[j] for row in rows for i in range(3) for j in range(i)]
    shares = [flat.count(label) / len(flat) for label in set(flat)]
    chance = sum(share * (1 - share) for share in shares) / (len(shares) - 1)

    agreement = gwet_ac1(rows)

    assert agreement.value == pytest.approx((np.mean(pairs) - chance) / (1 - chance), abs=1e-9)
    assert (agreement.observed, agreement.expected) == pytest.approx((np.mean(pairs), chance), abs=1e-9)


@pytest.mark.parametrize("method", SYMMETRIC)
@given(data=columns)
def test_the_coefficients_keep_their_laws(method, data):
    """Within [−1, 1] and its interval, the same for exchanged raters, and for other words in place of labels."""
    first, second = data
    assume(len({*first, *second}) > 1)
    renamed = str.maketrans("abc", "bca")

    agreement = measured(method, first, second)

    assert -1 <= agreement.interval.low <= agreement.value <= agreement.interval.high <= 1
    for others in ((second, first), ([x.translate(renamed) for x in first], [y.translate(renamed) for y in second])):
        other = measured(method, *others)
        assert other.value == pytest.approx(agreement.value, abs=1e-9)
        assert (other.interval.low, other.interval.high) == pytest.approx(
            (agreement.interval.low, agreement.interval.high), abs=1e-6
        )


@pytest.mark.parametrize("method", SYMMETRIC)
@given(column=st.lists(labels, min_size=2, max_size=30))
def test_raters_who_never_differ_agree_fully_and_are_not_certain(method, column):
    """The value is 1, the interval reaches down to where Wilson's bound of no exception in n puts it."""
    assume(len(set(column)) > 1)

    agreement = measured(method, column, column)

    bound = wilson_interval(len(column), len(column)).low
    assert agreement.value == pytest.approx(1.0)
    # AC1's chance agreement moves with the labels even when raters agree, but its value does not.
    assert agreement.interval.low == pytest.approx((bound - agreement.expected) / (1 - agreement.expected))
    assert agreement.interval.high == 1.0


def test_few_exceptions_widen_the_interval_to_what_covers():
    """Raters right on 97 % of 30 items, 90 % of which are alike: the published interval covers 78 %, ours 96 %.

    That was counted over 1000 samples; here ours is held to 95 % within four standard errors. Kappa is 0.7321: both
    say yes to q = 0.9·0.97 + 0.1·0.03 = 0.876, agree on 0.97² + 0.03² = 0.9418, by chance on q² + (1 − q)² = 0.7828.
    """
    random, published, ours = np.random.default_rng(1), [], []
    for _ in range(300):
        truth = random.random(30) < 0.9
        first, second = ((truth ^ (random.random(30) > 0.97)).tolist() for _ in range(2))
        if len({*first, *second}) > 1:
            agreement = cohen_kappa(first, second)
            published.append(abs(agreement.value - 0.7321) <= 1.96 * agreement.standard_error)
            ours.append(agreement.interval.low <= 0.7321 <= agreement.interval.high)

    assert np.mean(published) < 0.85
    assert np.mean(ours) > 0.95 - 4 * math.sqrt(0.95 * 0.05 / len(ours))


def test_five_exceptions_leave_the_published_interval():
    """Twenty items, five disagreements: the interval is kappa ± 1.96 standard errors."""
    first, second = columns_of([[8, 2], [3, 7]])

    agreement = cohen_kappa(first, second, confidence=0.90)

    reach = stats.norm.ppf(0.95) * agreement.standard_error
    assert agreement.interval.low == pytest.approx(agreement.value - reach)
    assert agreement.interval.high == pytest.approx(agreement.value + reach)


def test_four_exceptions_do_not():
    """One disagreement fewer and the interval is wider than that: 8 + 8 agreements, 4 not."""
    agreement = cohen_kappa(*columns_of([[8, 2], [2, 8]]))

    assert agreement.interval.low < agreement.value - 1.96 * agreement.standard_error


def test_few_agreements_widen_the_interval_as_well():
    """Two agreements in thirty: where nearly all differ, the few that do not say as little."""
    agreement = cohen_kappa(*columns_of([[1, 14], [14, 1]]))

    assert agreement.interval.high > agreement.value + 1.96 * agreement.standard_error + 0.01


def test_rater_with_one_label_agrees_as_by_chance_and_is_not_certain():
    """Kappa is 0 whatever the other says; the formula's standard error is 0 and must not make a point of it."""
    agreement = cohen_kappa(["a"] * 20, ["a", "b"] * 10)

    assert agreement.value == pytest.approx(0.0)
    assert agreement.interval.low < -0.1 < 0.1 < agreement.interval.high


def test_weights_measure_numbers_by_their_difference():
    """Grades 1, 2 and 5: taking 5 for 2 is three times as far as taking 2 for 1, though no grade lies between."""
    first, second = [1, 2, 5, 5, 1, 2], [1, 2, 5, 2, 2, 1]

    by_number = cohen_kappa(first, second, weights="linear")
    by_scale = cohen_kappa(first, second, weights="linear", categories=[1, 2, 3, 4, 5])
    by_place = cohen_kappa(first, second, weights="linear", categories=[1, 2, 5])

    assert by_number.value == pytest.approx(by_scale.value)
    assert by_number.value != pytest.approx(by_place.value)


def test_weights_take_the_order_of_named_categories():
    """By hand: one near miss among four is a disagreement of 1/2/4 = 0.125; by chance it is 7/16."""
    first, second = ["low", "low", "mid", "high"], ["low", "mid", "mid", "high"]

    agreement = cohen_kappa(first, second, weights="linear", categories=["low", "mid", "high"])

    # The first gave 2, 1, 1 of 4, the second 1, 2, 1; by distance 2·2/2 + 2·1 + 1·1/2 + 1·1/2 + 1·1 + 1·2/2 = 7.
    assert agreement.value == pytest.approx(1 - 0.125 / (7 / 16))
    assert agreement.method == "Cohen's kappa, linear weights"


def test_two_items_are_enough():
    """One agreement, one disagreement: 1/2 observed, 1/2 by chance; nothing is known but that it lies in [−1, 1]."""
    agreement = fleiss_kappa([["a", "b"], ["b", "b"]])

    assert agreement.value == pytest.approx(-1 / 3)
    assert (agreement.interval.low, agreement.interval.high) == (-1.0, 1.0)


def test_single_label_is_refused_by_kappa():
    """0/0 is no agreement, and no disagreement either."""
    message = (
        "all 9 items have the label 'pass' from every rater, so that kappa is 0/0; expected at least 2 labels in use"
    )

    with pytest.raises(ValueError, match=message):
        cohen_kappa(["pass"] * 9, ["pass"] * 9)
    with pytest.raises(ValueError, match=message):
        fleiss_kappa([["pass"] * 3] * 9)


def test_single_label_is_full_agreement_for_ac1_when_the_others_are_named():
    """Chance is (1·0 + 0·1)/1 = 0; without the name of the other label the number of labels is unknown."""
    assert gwet_ac1([["pass", "pass"]] * 9, categories=["pass", "fail"]).value == 1.0
    with pytest.raises(ValueError, match=r"'pass' from every rater, and no other is named; expected categories="):
        gwet_ac1([["pass", "pass"]] * 9)


@pytest.mark.parametrize(
    ("first", "second", "options", "message"),
    [
        ("ab", "abc", {}, "2 labels by the first rater, 3 by the second; expected one each for every item"),
        ("a", "b", {}, "1 items with two labels or more; agreement beyond chance needs at least 2"),
        ("ab", "ab", {"weights": "linear"}, "weights='linear' need an order, and label 'a' is no number; expected"),
        ("ab", "ab", {"weights": "cubic"}, "weights='cubic'; expected None, 'linear' or 'quadratic'"),
        (
            "ab",
            "ab",
            {"categories": ["a"]},
            r"label 'b' is none of categories=\['a'\]; expected all that raters may give",
        ),
        ("ab", "ab", {"categories": ["a", "b", "a"]}, r"categories=\['a', 'b', 'a'\] name a label twice"),
        ("ab", ["a", None], {}, r"item 1 has the labels \['b', None\]; expected 2, as for item 0, and none missing"),
        ([0.5, math.nan], [0.5, 1.0], {}, r"item 1 has the labels \[nan, 1.0\].*: leave the item out, or use kripp"),
        ("ab", "ab", {"confidence": 95}, r"confidence=95; expected a number between 0 and 1"),
    ],
)
def test_impossible_columns_are_refused(first, second, options, message):
    """Each message says what is wrong, where, and what would be right."""
    with pytest.raises(ValueError, match=message):
        cohen_kappa(list(first), list(second), **options)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "0 items with two labels or more"),
        ([["a"], ["b"]], "item 0 has 1 labels; agreement needs those of at least 2 raters"),
        ([["a", "b"], ["a", "b", "b"]], r"item 1 has the labels \['a', 'b', 'b'\]; expected 2, as for item 0"),
    ],
)
def test_impossible_rows_are_refused(rows, message):
    """Fleiss and Gwet need as many raters for every item."""
    for coefficient in (fleiss_kappa, gwet_ac1):
        with pytest.raises(ValueError, match=message):
            coefficient(rows)
