"""Two versions on the same cases with a known true difference, for the simulation of the gates.

Each case has a quality, the share of a point that a version earns on it in the long run. A binary answer passes with
that chance; a graded one lies on a rubric of five levels, on one of the two next to the quality, so that its mean is
the quality. Trials of a case are independent given the quality. All true means follow by arithmetic:

- Most units are *settled*: both versions have the quality that is drawn from a Beta distribution, for binary answers
  Beta(.08, .02), nearly always pass or nearly always fail, for grades Beta(4, 1), skewed towards the best.
- In a share of .18 the versions *differ*: one has .925, the other .475, and a fair coin says which. The versions are
  exchangeable, so that the mean difference is 0 although they are not the same: nothing changed on the average.
- A *loss* strikes each case of the candidate with a chance h and takes .6 of its quality, whatever it is: the mean
  falls by .6·h·E[quality], E[quality] = .18·.7 + .82·.8 = .782, and h is set for the loss that is asked for.
- A unit is a case, or a cluster of five. The cases of a cluster differ together; each follows the cluster's coin, or
  one of its own, and has the quality of the cluster, or one of its own, with chances that give an intra-cluster
  correlation of about .3, of the differences when nothing changed and of the values.

A *rare* loss is harder on every interval that rests on the normal distribution: the versions do not differ elsewhere,
and a struck case loses all of its quality, so that h = loss/.8 and the differences are skewed by about −2.

Documents for the weighted mean: lengths are log-normal (σ = 1, median 300 tokens), losses of the baseline normal, and
the change of a document is its mean plus a Gamma variable with a skew of 1, centred, drawn apart from the length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CLUSTER_SIZE = 5
CORRELATION = 0.3
BETTER, WORSE = 0.925, 0.475
LEVELS = 4
"""Steps of the rubric."""
SETTLED = {"binary": (0.08, 0.02), "graded": (4.0, 1.0)}
"""Parameters of the Beta distribution of the settled qualities."""
SETTLED_MEAN = 0.8
DOCUMENT_SPREAD = 0.03
"""Standard deviation of the changes of documents, in nats a token."""
_GAMMA = 4.0  # the skew of a Gamma variable is 2/√shape


@dataclass(frozen=True, slots=True)
class Shape:
    """What kind of answers."""

    kind: Literal["binary", "graded"]
    is_clustered: bool = False
    trials: int = 1
    is_rare: bool = False
    """Whether a loss falls on few cases and takes all, and nothing else differs."""

    @property
    def unit(self) -> int:
        """Cases that hang together."""
        return CLUSTER_SIZE if self.is_clustered else 1

    @property
    def differing(self) -> float:
        """Share of the units in which the versions differ."""
        return 0.0 if self.is_rare else 0.18

    @property
    def struck_share(self) -> float:
        """Of the quality of a struck case that is lost."""
        return 1.0 if self.is_rare else 0.6

    @property
    def mean(self) -> float:
        """True mean of either version when nothing changed."""
        return self.differing * (BETTER + WORSE) / 2 + (1 - self.differing) * SETTLED_MEAN

    def __str__(self) -> str:
        """As a table names it."""
        words = (self.kind, "clusters" * self.is_clustered, "trials" * (self.trials > 1), "rare" * self.is_rare)
        return ", ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Sample:
    """Answers of many runs of a suite, each on cases of its own."""

    candidate: Floats
    """``[runs, cases, trials]``."""
    baseline: Floats
    """``[runs, cases, trials]``."""
    difference: float
    """True mean difference, positive when the candidate is better."""
    weights: Floats | None = None
    """``[runs, cases]``, for documents."""

    @property
    def exchanged(self) -> Sample:
        """Candidate and baseline in each other's place: a loss becomes a gain."""
        return Sample(self.baseline, self.candidate, -self.difference, self.weights)

    def first(self, runs: int) -> Sample:
        """Only the first of the runs."""
        weights = None if self.weights is None else self.weights[:runs]
        return Sample(self.candidate[:runs], self.baseline[:runs], self.difference, weights)


def draw(shape: Shape, runs: int, cases: int, loss: float, random: np.random.Generator) -> Sample:
    """Runs of a suite whose candidate is worse by ``loss`` on the average over all such cases."""
    candidate, baseline = _qualities(shape, runs, cases, random)
    struck = random.random((runs, cases)) < loss / (shape.struck_share * shape.mean)
    candidate = np.where(struck, (1 - shape.struck_share) * candidate, candidate)
    return Sample(_answers(shape, candidate, random), _answers(shape, baseline, random), -loss)


def draw_same_suite(shape: Shape, runs: int, cases: int, loss: float, random: np.random.Generator) -> Sample:
    """Runs whose candidate is worse by exactly ``loss`` over the very cases of the run: each loses the same share."""
    _, baseline = _qualities(shape, runs, cases, random)
    kept = 1 - loss / baseline.mean(axis=1, keepdims=True)
    return Sample(_answers(shape, kept * baseline, random), _answers(shape, baseline, random), -loss)


def draw_suite(shape: Shape, runs: int, cases: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Answers of one version ``[runs, cases, trials]``, and its true mean over the cases of each run ``[runs]``."""
    _, qualities = _qualities(shape, runs, cases, random)
    return _answers(shape, qualities, random), qualities.mean(axis=1)


def draw_documents(
    is_clustered: bool,  # noqa: FBT001
    runs: int,
    cases: int,
    loss: float,
    random: np.random.Generator,
) -> Sample:
    """Losses of documents in nats a token, of which less is better; the candidate's are higher by ``loss``."""
    shared = CORRELATION if is_clustered else 0.0
    own = math.sqrt(1 - shared) * _skewed(random, runs, cases, 1)
    common = math.sqrt(shared) * _skewed(random, runs, cases, CLUSTER_SIZE)
    baseline = random.normal(2.5, 0.5, (runs, cases))
    candidate = baseline + loss + DOCUMENT_SPREAD * (own + common)
    weights = np.ceil(300 * random.lognormal(0.0, 1.0, (runs, cases)))
    return Sample(candidate[..., None], baseline[..., None], -loss, weights)


def clusters(cases: int) -> tuple[str, ...]:
    """The cluster of each case."""
    return tuple(f"cluster {place // CLUSTER_SIZE}" for place in range(cases))


def _skewed(random: np.random.Generator, runs: int, cases: int, unit: int) -> Floats:
    """Mean 0, standard deviation 1, skew 1; one value a unit."""
    drawn = (random.gamma(_GAMMA, size=(runs, cases // unit)) - _GAMMA) / math.sqrt(_GAMMA)
    return np.repeat(drawn, unit, axis=1)


def _qualities(shape: Shape, runs: int, cases: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Of two exchangeable versions ``[runs, cases]``."""
    units, alone = (runs, cases // shape.unit), (runs, cases)
    beta = SETTLED[shape.kind]
    coin = _follow(_follows_coin(shape), random.integers(2, size=units), random.integers(2, size=alone), random)
    settled = _follow(_follows_quality(shape), random.beta(*beta, units), random.beta(*beta, alone), random)
    differs = np.repeat(random.random(units) < shape.differing, shape.unit, axis=1)
    first, second = (np.where(coin == better, BETTER, WORSE) for better in (0, 1))
    return np.where(differs, first, settled), np.where(differs, second, settled)


def _follow(chance: float, of_unit: NDArray, own: NDArray, random: np.random.Generator) -> NDArray:
    """The value of the unit with this chance, else the case's own."""
    return np.where(
        random.random(own.shape) < chance, np.repeat(of_unit, own.shape[1] // of_unit.shape[1], axis=1), own
    )


def _follows_coin(shape: Shape) -> float:
    """The chance κ for which κ²·.18·(.925 − .475)² is .3 of the variance of a difference."""
    if not shape.differing:
        return 0.0
    shift = shape.differing * (BETTER - WORSE) ** 2
    noise = shape.differing * (_noise(shape, BETTER) + _noise(shape, WORSE))
    noise += 2 * (1 - shape.differing) * _settled_noise(shape)
    return math.sqrt(CORRELATION * (shift + noise / shape.trials) / shift)


def _follows_quality(shape: Shape) -> float:
    """The chance κ for which κ² times the variance of the settled qualities is .3 of that of settled values."""
    a, b = SETTLED[shape.kind]
    spread = a * b / ((a + b) ** 2 * (a + b + 1))
    return math.sqrt(CORRELATION * (spread + _settled_noise(shape) / shape.trials) / spread)


@cache
def _settled_noise(shape: Shape) -> float:
    """Mean variance of an answer given its settled quality, over a fine grid of quantiles of the quality."""
    grid = (np.arange(10_000) + 0.5) / 10_000
    return float(np.mean(_noise(shape, special.betaincinv(*SETTLED[shape.kind], grid))))


def _noise(shape: Shape, quality: float | Floats) -> float | Floats:
    """Variance of an answer given its quality."""
    if shape.kind == "binary":
        return quality * (1 - quality)
    above = np.mod(LEVELS * quality, 1.0)
    return above * (1 - above) / LEVELS**2


def _answers(shape: Shape, qualities: Floats, random: np.random.Generator) -> Floats:
    """``[runs, cases, trials]``, with the quality as mean."""
    steps = 1 if shape.kind == "binary" else LEVELS
    return np.floor(steps * qualities[..., None] + random.random((*qualities.shape, shape.trials))) / steps
