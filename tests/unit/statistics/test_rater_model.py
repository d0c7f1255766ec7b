"""Dawid and Skene's model of raters who err, without knowing the truth."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.statistics.agreement.rater_model import Rating, dawid_skene

# Dawid and Skene (1979), table 1: 45 patients; the first anaesthetist rated each three times, four others once.
PATIENTS = """
1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343
1111111 2223212 1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222
1111111 1111111 2322222 1111111 1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343
2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
"""
RATERS = [1, 1, 1, 2, 3, 4, 5]

votes = st.lists(st.lists(st.sampled_from("ab"), min_size=4, max_size=4), min_size=3, max_size=10)


def patients():
    """One rating a digit."""
    for patient, row in enumerate(PATIENTS.split(), 1):
        for rater, label in zip(RATERS, row, strict=True):
            yield Rating(patient, rater, int(label))


def ratings_of(rows):
    """One rater a column."""
    return [Rating(item, rater, label) for item, row in enumerate(rows) for rater, label in enumerate(row)]


def likelihood(rows, model):
    """Log-likelihood of complete ratings under the estimates."""
    return sum(
        math.log(
            sum(
                share * math.prod(model.confusion[rater][true][label] for rater, label in enumerate(row))
                for true, share in model.prevalence.items()
            )
        )
        for row in rows
    )


def test_the_model_reproduces_the_anaesthetists():
    """T33: the paper has prevalences of 0.40, 0.42, 0.11 and 0.07; more digits were computed when T33 was written."""
    model = dawid_skene(patients())

    assert model.has_converged
    assert [model.prevalence[label] for label in (1, 2, 3, 4)] == pytest.approx(
        [0.3996, 0.4220, 0.1118, 0.0667], abs=5e-5
    )
    rows = [[model.confusion[1][true][given] for given in (1, 2, 3, 4)] for true in (1, 2, 3, 4)]
    expected = [[0.889, 0.111, 0, 0], [0.071, 0.876, 0.053, 0], [0, 0.339, 0.661, 0], [0, 0, 0.556, 0.444]]
    assert np.array(rows) == pytest.approx(np.array(expected), abs=5e-4)


def test_likely_labels_differ_from_the_majority_where_the_paper_says():
    """T33: patients 2, 12 and 36, for whom careful raters outweigh many, or who tie."""
    likely = dawid_skene(patients()).likely

    labels = {patient: Counter(map(int, row)) for patient, row in enumerate(PATIENTS.split(), 1)}
    majority = {patient: min(count, key=lambda label: (-count[label], label)) for patient, count in labels.items()}
    assert [patient for patient in likely if likely[patient] != majority[patient]] == [2, 12, 36]


@given(votes)
@settings(max_examples=30)
def test_another_step_raises_the_likelihood(rows):
    """Expectation maximisation never makes the ratings less likely."""
    ratings = ratings_of(rows)

    values = [likelihood(rows, dawid_skene(ratings, most_iterations=steps)) for steps in (1, 2, 5, 20)]

    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(values))


@given(votes)
@settings(max_examples=30)
def test_chances_add_up_to_one(rows):
    """Prevalence, each posterior and each row of a confusion are distributions; a row without items is all 0."""
    model = dawid_skene(ratings_of(rows), most_iterations=200)

    assert sum(model.prevalence.values()) == pytest.approx(1)
    assert all(sum(chances.values()) == pytest.approx(1) for chances in model.posterior.values())
    for confusion in model.confusion.values():
        assert all(sum(row.values()) == pytest.approx(1) or not any(row.values()) for row in confusion.values())


def test_the_truth_is_found_behind_unequal_raters():
    """600 items, raters right 95, 80, 80, 60 and 55 % of the time, seed 3: skills come back to within 5 points."""
    random, skills = np.random.default_rng(3), [0.95, 0.80, 0.80, 0.60, 0.55]
    truth = random.random(600) < 0.4
    votes_of = np.array([np.where(random.random(600) < skill, truth, ~truth) for skill in skills]).T

    model = dawid_skene(ratings_of(votes_of.tolist()))

    found = [
        sum(model.prevalence[label] * model.confusion[rater][label][label] for label in (0, 1)) for rater in range(5)
    ]
    assert found == pytest.approx(skills, abs=0.05)
    assert model.doubtful == ()
    majority = (votes_of.mean(axis=1) > 0.5) == truth
    assert np.mean([model.likely[item] == truth[item] for item in range(600)]) > majority.mean()


def test_hundreds_of_labels_an_item_leave_the_chances_defined():
    """Raters who waver: the product of 1200 chances of a half is no float, but an item's chances add up to one."""
    ratings = [each for each in ratings_of(["aab", "bba"]) + ratings_of(["bba", "aab"]) for _ in range(200)]

    chances = dawid_skene(ratings, most_iterations=5).posterior.values()

    assert [sum(each.values()) for each in chances] == pytest.approx([1.0] * 2)


def test_raters_may_leave_items_out():
    """The third rater never saw the second item: its label comes from the others."""
    ratings = [each for each in ratings_of(["aaa", "bbb", "aab", "bbb"]) if (each.item, each.rater) != (1, 2)]

    assert dawid_skene(ratings).likely[1] == "b"


def test_label_that_most_raters_overlook_is_doubted():
    """Two strict raters name six major faults that three call ok: the model believes the strict, and says it may err.

    Of these seven items two raters call all major and three call one: 2·7 + 3 of 35 labels, fewer than the 18 ok.
    """
    overlooked = ["major", "major", "ok", "ok", "ok"]

    model = dawid_skene(ratings_of([["ok"] * 5] * 10 + [overlooked] * 6 + [["major"] * 5]))

    assert model.likely[12] == "major"
    assert model.doubtful == ("major",)


def test_stopping_early_is_said():
    """One step is not enough for estimates to settle."""
    assert not dawid_skene(patients(), most_iterations=1).has_converged


def test_two_raters_are_refused():
    """Two can be explained in more than one way."""
    with pytest.raises(ValueError, match=r"raters=\[0, 1\]; expected at least 3: what fewer say has several"):
        dawid_skene(ratings_of(["ab", "aa"]))
