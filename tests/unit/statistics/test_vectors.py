"""Published numbers, reproduced: T1 to T23, T52 and T53 of the methodology's list of test vectors.

What is left out there:

- Methods that are not shipped. T2, and in T3, T4 and T8 χ² and Z: the exact and the mid-p value need no approximation.
  In T5 and T6 Newcombe, Wald, Agresti-Min and Bonett-Price: Tango's is the interval of the gates. In T7 the interval
  by mid-p, in T21 Benjamini-Yekutieli, in T22 Hommel, in T15 the basic interval and BCa, which covers less often than
  percentiles do at small n.
- Functions of scipy which are used by nobody here: T9 Boschloo's and Fisher's tests, T14 and in T12 Wilcoxon's.
- T24, confidence sequences, which are not shipped; T25, T26 and the e-process of T52 are tests of sequential methods.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pytest_llmval.statistics import (
    benjamini_hochberg,
    bootstrap_interval,
    clopper_pearson_interval,
    clustered_interval,
    holm,
    mcnemar_exact,
    mcnemar_midp,
    minimal_detectable_effect,
    paired_t_interval,
    required_n,
    required_n_binary,
    sign_flip_p,
    tango_interval,
    wilson_interval,
)
from pytest_llmval.statistics.differences.clustered import clustered_mean

SLEEP = (
    np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    - np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
).tolist()
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
BENJAMINI_HOCHBERG_1995 = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1.0),
]


def ends(interval):
    return interval.low, interval.high


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(121, 59, 4e-6), (70, 59, 0.378688), (80, 59, 0.089452), (30, 60, 0.00206), (10, 30, 0.002221), (10, 10, 1)],
)
def test_t1_exact_mcnemar(gained, lost, p):
    """Vassar's online calculator, in the test-suite of statsmodels."""
    assert mcnemar_exact(gained, lost) == pytest.approx(p, abs=5e-7)


@pytest.mark.parametrize(
    ("gained", "lost", "exact", "midp"),
    [
        pytest.param(6, 16, 0.052479, 0.034690, id="T3-cavo_2012"),
        pytest.param(1, 7, 0.0703125, 0.0390625, id="T4-bentur_2009"),
        pytest.param(25, 2, 5.6475e-06, 3.0324e-06, id="T7-ezra_2010"),
        pytest.param(150, 86, 3.7159e-05, 2.8934e-05, id="T8-Agresti's approval"),
    ],
)
def test_t3_t4_t7_t8_mcnemar(gained, lost, exact, midp):
    """Fagerland et al. (R contingencytables) and Agresti: both p-values of four tables."""
    assert mcnemar_exact(gained, lost) == pytest.approx(exact, rel=2e-5)
    assert mcnemar_midp(gained, lost) == pytest.approx(midp, rel=2e-5)


def test_t5_tango():
    """cavo_2012 [[59, 6], [16, 80]], p1 − p2 = −0.0621: −0.1240 to −0.0054."""
    assert ends(tango_interval(6, 16, 161, 0.95)) == pytest.approx((-0.1240, -0.0054), abs=5e-5)


def test_t6_tango_at_its_edges():
    """Three gained of three reach 1 in Tango (1998); without a change it is ±z²/(n + z²), here 3.8415/(20 + 3.8415)."""
    assert ends(tango_interval(3, 0, 3, 0.95)) == pytest.approx((-0.1230, 1.0), abs=5e-5)
    assert ends(tango_interval(0, 0, 20, 0.95)) == pytest.approx((-0.16113, 0.16113), abs=5e-6)


def test_t7_conditional_odds():
    """ezra_2010: the odds 25/2 = 12.5 and their interval 3.1169 to 108.8892, from Clopper and Pearson's of 25 in 27."""
    rate = clopper_pearson_interval(25, 27)

    assert (rate.low / (1 - rate.low), rate.high / (1 - rate.high)) == pytest.approx((3.1169, 108.8892), rel=2e-5)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_t10_wilson(successes, trials, low, high):
    """R. G. Newcombe, Stat. Med. 17 (1998) 857, table I, score method."""
    assert ends(wilson_interval(successes, trials)) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("successes", "trials", "confidence", "low", "high"),
    [(0, 59, 0.90, 0.0, 0.04951), (10, 10, 0.95, 0.6915, 1.0), (0, 10, 0.95, 0.0, 0.3085)],
)
def test_t11_clopper_pearson(successes, trials, confidence, low, high):
    """By hand: 1 − 0.05^(1/59) = 0.04951, 0.025^(1/10) = 0.6915."""
    assert ends(clopper_pearson_interval(successes, trials, confidence)) == pytest.approx((low, high), abs=5e-5)


def test_t12_sleep():
    """Student's sleep data in R's ?t.test, paired; 4 of 1024 sign patterns, one difference being 0."""
    assert ends(paired_t_interval(SLEEP, 0.95)) == pytest.approx((-2.459886, -0.700114), abs=5e-7)
    assert sign_flip_p(SLEEP) == pytest.approx(0.00390625)


def test_t13_maize():
    """Fisher (1935), Darwin's maize: 863 of 32768 patterns one-sided; Student's p of .0497029 is where 0 leaves."""
    assert sign_flip_p(MAIZE, alternative="greater") == pytest.approx(863 / 32768)
    assert sign_flip_p(MAIZE) == pytest.approx(0.0526733, abs=5e-8)
    assert paired_t_interval(MAIZE, 1 - 0.0497029).low == pytest.approx(0, abs=1e-4)


def test_t15_bootstrap_percentiles():
    """R's boot with 10⁶ resamples, in scipy's test-suite: 28.86 to 84.21 for the mean."""
    values = [10, 12, 12.5, 12.5, 13.9, 15, 21, 22, 23, 34, 50, 81, 89, 121, 134, 213]

    assert ends(bootstrap_interval(values, "mean", resamples=200_000)) == pytest.approx((28.86, 84.21), rel=0.005)


def test_t16_inspect_ai():
    """Values 0 to 19 in clusters i % 4 have the standard error .645 in inspect_ai's test-suite."""
    mean = clustered_mean(range(20), [value % 4 for value in range(20)])

    assert mean.standard_error == pytest.approx(0.645, abs=5e-4)


def test_t17_four_clusters_of_three():
    """CR1 = .2097176 by statsmodels, CR0 = √(3/4) of it, .1816208; without clusters .1486471; t(3) at 90 % = 2.3534."""
    differences, clusters = [1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0], [place // 3 for place in range(12)]
    error, single = clustered_mean(differences, clusters).standard_error, clustered_mean(differences, range(12))

    assert error == pytest.approx(0.2097176, abs=5e-8)
    assert error * (3 / 4) ** 0.5 == pytest.approx(0.1816208, abs=5e-8)
    assert (single.value, single.standard_error) == pytest.approx((0.4166667, 0.1486471), abs=5e-8)
    half = stats.t.ppf(0.95, 3) * 0.2097176
    assert ends(clustered_interval(differences, clusters)) == pytest.approx((5 / 12 - half, 5 / 12 + half), abs=1e-6)


@pytest.mark.parametrize(("trial_variance", "trials", "cases"), [(0, 1, 969), (1 / 6, 1, 3876), (1 / 6, 10, 1260)])
def test_t18_required_cases(trial_variance, trials, cases):
    """E. Miller, arXiv:2411.00640, section 5: 968.997, 3875.99 and 1259.70 cases for δ = .03."""
    assert required_n(0.03, 1 / 9, trial_variance=trial_variance, trials=trials) == cases


@pytest.mark.parametrize(("trials", "effect"), [(1, 0.13273), (10, 0.07567)])
def test_t18_detectable_effect(trials, effect):
    """The same paper, 198 cases."""
    found = minimal_detectable_effect(198, 1 / 9, trial_variance=1 / 6, trials=trials)

    assert found == pytest.approx(effect, abs=5e-6)


@pytest.mark.parametrize(("alpha", "student"), [(0.05, 89.149), (0.10, 70.068)])
def test_t19_normal_planning_against_students(alpha, student):
    """TTestPower of statsmodels, d = .3, two-sided and one-sided: z²/2 cases more than by the normal distribution."""
    more = stats.norm.isf(alpha / 2) ** 2 / 2

    assert required_n(0.3, 1.0, alpha=alpha) + more == pytest.approx(student, abs=1)


@pytest.mark.parametrize(
    ("gained", "lost", "cases"), [(0.05, 0.10, 469), (0.02, 0.05, 609), (0.03, 0.06, 783), (0.10, 0.05, 469)]
)
def test_t20_connor(gained, lost, cases):
    """R. J. Connor (1987): 468.57, 608.11 and 782.53; the direction is of no account."""
    assert required_n_binary(gained, lost) == cases


def test_t20_power_of_both_tests():
    """At 469 cases the exact value finds the change in 77.56 %, the mid-p value in 80.66 %.

    Added up here: changed ~ Binomial(469, .15), of which gained ~ Binomial(changed, 1/3).
    """
    power = {mcnemar_exact: 0.0, mcnemar_midp: 0.0}
    for changed in range(1, 140):
        weight, shares = stats.binom.pmf(changed, 469, 0.15), stats.binom.pmf(range(changed + 1), changed, 1 / 3)
        for test in power:
            found = [test(gained, changed - gained) <= 0.05 for gained in range(changed + 1)]
            power[test] += weight * float(shares[found].sum())

    assert tuple(power.values()) == pytest.approx((0.7756, 0.8066), abs=5e-5)


def test_t21_benjamini_hochberg_1995():
    """Their fifteen p-values: four hold by Benjamini and Hochberg, three by Holm."""
    by_share, by_family = benjamini_hochberg(BENJAMINI_HOCHBERG_1995), holm(BENJAMINI_HOCHBERG_1995)

    assert by_share == pytest.approx(
        [
            *(0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.06385714, 0.06385714, 0.0645),
            *(0.0765, 0.486, 0.58118182, 0.714875, 0.75323077, 0.81321429, 1.0),
        ]
    )
    assert by_family == pytest.approx(
        [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, *[1.0] * 6], abs=1e-9
    )


def test_t22_four_values():
    """By hand: 4·.005, 3·.01, 2·.03, and 4/1·.005, 4/2·.01, 4/3·.03, 4/4·.04, in the given order."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_t23_r_multtest():
    """Ten p-values adjusted by R's multtest, in the test-suite of statsmodels."""
    p_values = [
        *(0.838541367553, 0.642193923795, 0.680845947633, 0.967833824309, 0.71626938238),
        *(0.177096952723, 5.23656777208e-05, 0.0202732688798, 0.00028140506198, 0.0149877310796),
    ]

    assert sorted(holm(p_values)) == pytest.approx(
        [0.000523656777208, 0.00253264555782, 0.1199018486368, 0.1419128821586, *[1.0] * 6]
    )
    assert sorted(benjamini_hochberg(p_values)) == pytest.approx(
        [
            *(0.000523656777208, 0.0014070253099, 0.04995910359866667, 0.0506831721995, 0.354193905446),
            *(0.895336727975, 0.895336727975, 0.895336727975, 0.931712630614, 0.967833824309),
        ]
    )


@pytest.mark.parametrize(
    ("alpha", "one_sided", "two_sided", "midp"), [(0.05, 5, 6, 5), (0.01, 7, 8, 7), (0.001, 10, 11, 10)]
)
def test_t52_fewest_changes(alpha, one_sided, two_sided, midp):
    """With none gained: 2⁻ⁿ one-sided, 2·2⁻ⁿ two-sided, and 2·2⁻ⁿ − 2⁻ⁿ by mid-p."""
    exact = [mcnemar_exact(0, lost) for lost in range(14)]

    assert min(lost for lost in range(14) if exact[lost] / 2 <= alpha) == one_sided
    assert min(lost for lost in range(14) if exact[lost] <= alpha) == two_sided
    assert min(lost for lost in range(14) if mcnemar_midp(0, lost) <= alpha) == midp


@pytest.mark.parametrize(
    ("margin", "tango", "exact"),
    [(0.01, 268, 299), (0.02, 133, 149), (0.03, 88, 99), (0.05, 52, 59), (0.10, 25, 29)],
)
def test_t53_cases_without_a_change(margin, tango, exact):
    """z²/(n + z²) < margin with z = 1.645, and 1 − 0.05^(1/n) < margin."""
    assert tango_interval(0, 0, tango).low > -margin >= tango_interval(0, 0, tango - 1).low
    assert clopper_pearson_interval(0, exact, 0.90).high < margin <= clopper_pearson_interval(0, exact - 1, 0.90).high
