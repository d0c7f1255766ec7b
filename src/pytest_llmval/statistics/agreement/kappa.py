"""Agreement on labels: Cohen's kappa, Fleiss' kappa and Gwet's AC1, which differ in what they expect by chance.

Kappa depends on how common the labels are: of raters who agree on nearly all items, because nearly all items are
alike, it says little. AC1 does not, so report both.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytest_llmval.statistics.agreement.coefficient import Agreement, beyond_chance
from pytest_llmval.statistics.agreement.ratings import coded

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from pytest_llmval.statistics.agreement.ratings import Ratings

    Floats = NDArray[np.float64]

Weights = Literal["linear", "quadratic"]

_POWERS = {"linear": 1, "quadratic": 2}


def cohen_kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    *,
    weights: Weights | None = None,
    categories: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Agreement:
    """Agreement of two raters; chance is what the habits of each would give.

    Args:
        first: Labels by one rater, one an item.
        second: Labels by the other, in the same order.
        weights: None counts equal labels only; `linear` and `quadratic` count a near miss in part, by the distance
            of the labels or its square.
        categories: All labels, in rising order. Weights need it unless labels are numbers, whose distance is then
            their difference.
        confidence: Two-sided coverage, in (0, 1).

    Returns:
        Kappa with its large-sample interval, widened by `widened_interval` where that is too sure.

    Raises:
        ValueError: If the columns differ in length, there are fewer than two items, a label is missing or not among
            the categories, weights lack an order, or all labels are the same: kappa is then 0/0.

    Source:
        J. Cohen, Educ. Psychol. Meas. 20 (1960) 37, Psychol. Bull. 70 (1968) 213; standard error: J. L. Fleiss,
        J. Cohen, B. S. Everitt, Psychol. Bull. 72 (1969) 323.

    >>> human, judge = ["pass"] * 6 + ["fail"] * 4, ["pass"] * 5 + ["fail"] * 5
    >>> round(cohen_kappa(human, judge).value, 2)
    0.8
    """
    if len(first) != len(second):
        msg = f"{len(first)} labels by the first rater, {len(second)} by the second; expected one each for every item"
        raise ValueError(msg)
    ratings = coded(list(zip(first, second, strict=True)), categories)
    _check_variety(ratings)
    closeness = _closeness(ratings.categories, weights, is_ordered=categories is not None)
    one, other = ratings.codes.T
    by_one, by_other = (np.bincount(codes, minlength=len(closeness)) / codes.size for codes in (one, other))
    expected = ((closeness @ by_other)[one] + (by_one @ closeness)[other]) / 2
    method = f"Cohen's kappa, {weights} weights" if weights else "Cohen's kappa"
    return beyond_chance(
        closeness[one, other], expected, method, confidence, is_graded=weights is not None, is_normal=True
    )


def fleiss_kappa(ratings: Sequence[Sequence[Hashable]], *, confidence: float = 0.95) -> Agreement:
    """Agreement of two or more raters, who may be others for each item; chance is how common the labels are.

    Args:
        ratings: The labels of each item, one a rater, as many for every item; their order does not matter.
        confidence: Two-sided coverage, in (0, 1).

    Returns:
        Kappa with Student's interval, widened by `widened_interval` where that is too sure.

    Raises:
        ValueError: If there are fewer than two items or raters, items have different numbers of labels, one is
            missing, or all labels are the same: kappa is then 0/0.

    Source:
        J. L. Fleiss, Psychol. Bull. 76 (1971) 378. Its standard error, like that of 1979, holds only where raters
        agree by chance; ours is that of K. L. Gwet, Educ. Psychol. Meas. 81 (2021) 781, which serves an interval.

    >>> round(fleiss_kappa([["a", "a", "b"], ["b", "b", "b"], ["a", "a", "a"]]).value, 2)
    0.55
    """
    rated = coded(ratings)
    _check_variety(rated)
    given = _given(rated)
    return beyond_chance(_unanimity(rated), given @ given.mean(axis=0), "Fleiss' kappa", confidence)


def gwet_ac1(
    ratings: Sequence[Sequence[Hashable]], *, categories: Sequence[Hashable] | None = None, confidence: float = 0.95
) -> Agreement:
    """Agreement of two or more raters that keeps its meaning when nearly all items have the same label.

    Chance is guessing on the hard items only, of which there are the fewer the more one label prevails. For two
    columns of labels write ``gwet_ac1(list(zip(human, judge)))``.

    Args:
        ratings: The labels of each item, one a rater, as many for every item; their order does not matter.
        categories: All labels that raters may give; None for those in use.
        confidence: Two-sided coverage, in (0, 1).

    Returns:
        AC1 with Student's interval, widened by `widened_interval` where that is too sure.

    Raises:
        ValueError: If there are fewer than two items, raters or categories, items have different numbers of labels,
            or one is missing or not among the categories.

    Source:
        K. L. Gwet, Br. J. Math. Stat. Psychol. 61 (2008) 29.

    >>> round(gwet_ac1([["a", "a", "b"], ["b", "b", "b"], ["a", "a", "a"]]).value, 2)
    0.56
    """
    rated = coded(ratings, categories)
    others = len(rated.categories) - 1
    if not others:
        msg = (
            f"all {len(ratings)} items have the label {rated.categories[0]!r} from every rater, and no other is named; "
            "expected categories=[...] with all labels that raters may give, at least 2"
        )
        raise ValueError(msg)
    given = _given(rated)
    return beyond_chance(_unanimity(rated), given @ (1 - given.mean(axis=0)) / others, "Gwet's AC1", confidence)


def _check_variety(ratings: Ratings) -> None:
    used = np.unique(ratings.codes)
    if used.size == 1:
        msg = (
            f"all {len(ratings.codes)} items have the label {ratings.categories[int(used[0])]!r} from every rater, so "
            "that kappa is 0/0; expected at least 2 labels in use, or gwet_ac1 with all labels as categories="
        )
        raise ValueError(msg)


def _closeness(categories: Sequence[Hashable], weights: Weights | None, *, is_ordered: bool) -> Floats:
    """What a pair of labels counts ``[categories, categories]``: 1 for equal ones, 0 for those farthest apart."""
    if weights is None:
        return np.eye(len(categories))
    if weights not in _POWERS:
        msg = f"weights={weights!r}; expected None, 'linear' or 'quadratic'"
        raise ValueError(msg)
    scores = np.arange(len(categories)) if is_ordered else _numbers(categories, weights)
    distances = np.abs(scores[:, np.newaxis] - scores)
    return np.asarray(1 - (distances / distances.max()) ** _POWERS[weights], dtype=float)


def _numbers(labels: Sequence[Any], weights: Weights) -> Floats:
    words = [label for label in labels if not isinstance(label, Real)]
    if words:
        msg = (
            f"weights={weights!r} need an order, and label {words[0]!r} is no number; "
            "expected numbers, or categories=[lowest, ..., highest]"
        )
        raise ValueError(msg)
    return np.array(labels, dtype=float)


def _given(ratings: Ratings) -> Floats:
    """Share of the raters who gave each label ``[items, categories]``."""
    return np.asarray(ratings.counts / ratings.codes.shape[1], dtype=float)


def _unanimity(ratings: Ratings) -> Floats:
    """Share of the pairs of raters who gave the same label ``[items]``."""
    raters = ratings.codes.shape[1]
    return np.asarray(((ratings.counts**2).sum(axis=1) - raters) / (raters * (raters - 1)), dtype=float)
