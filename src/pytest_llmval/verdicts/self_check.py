"""The A/A check of a gate: what it says when nothing changed, and how much must change until it speaks.

The recorded trials of one version stand for two versions: each case's trials are dealt at random to a candidate and a
baseline, and the gate decides as it would have. Whatever it finds then is noise.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.statistics.intervals import Interval, clopper_pearson_interval
from pytest_llmval.verdicts.damage import damage_to
from pytest_llmval.verdicts.halves import Halves, Pool, pool_of
from pytest_llmval.verdicts.recompute import recompute
from pytest_llmval.verdicts.verdict import Outcome
from pytest_llmval.verdicts.wording import Scale, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.verdicts.damage import Damage

ALLOWED_ALARMS = 0.05
"""Share of splits in which a gate may speak although nothing changed."""
SELDOM = 0.5
"""A gate that is inconclusive in a greater share of splits although nothing changed seldom passes a version."""
POWER = 0.80
"""Share of simulated runs in which an effect must be noticed to count as detectable."""
RUNS = 50
"""Simulated runs at each size of an effect; fewer when fewer splits are asked for."""

SPEAKS = {"no_regression": Outcome.REGRESSED, "equivalent": Outcome.REGRESSED, "improved": Outcome.IMPROVED}
"""What each kind of gate that compares must not say when nothing changed: all others have no A/A check."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The smallest change that a gate notices."""

    change: float
    """Mean over the cases, in the metric's unit; positive is better."""
    cases: int | None = None
    """Cases at the worst bound (for `improved` the best); None when all cases were shifted alike."""


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """What the A/A check of one gate found."""

    speaks: Outcome
    """What the gate must not say when nothing changed, and must be able to say at all."""
    cases: int
    """Cases with a score."""
    a_side: int
    """Trials a side of each case; 0 when each case has one value, so that there was nothing to deal."""
    splits: int
    scale: Scale
    """How changes are written."""
    alarms: int = 0
    """Splits in which the gate spoke."""
    alarm_reason: str = ""
    """Why it did, the first time."""
    inconclusive: int = 0
    """Splits in which it could not decide."""
    noise: float | None = None
    """Standard deviation of the difference over the splits, in the metric's unit; None when there was none."""
    varies: bool = False
    """Whether trials of any case differ; they do not under greedy decoding."""
    decoding: str = ""
    is_repeatable: bool = True
    """Whether the same answers got the same scores on both sides."""
    effect: Effect | None = None
    """None when no change is noticed in `POWER` of the runs."""
    is_valid: bool = True
    """Whether the gate comes to a verdict at all; else `silence` says why not."""
    is_bounded: bool = True
    """Whether cases were broken outright; else all of them were shifted alike."""
    reach: float = 1.0
    """Share of the runs in which it speaks when every case is changed as far as can be; at least `POWER` when sound."""
    silence: str = ""
    """Why it is less; empty when the gate can fire."""

    @property
    def alarm_interval(self) -> Interval:
        """95 % interval of the share of splits with an alarm.

        It covers the dealing of these trials, not the sampling of the trials: other trials of the same model may
        give another share.

        Source:
            C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404.
        """
        return clopper_pearson_interval(self.alarms, self.splits, 0.95)

    @property
    def cries_wolf(self) -> bool:
        """Whether the share of alarms is shown to exceed what is allowed."""
        return self.alarm_interval.low > ALLOWED_ALARMS

    @property
    def is_wrong(self) -> bool:
        """Whether the gate speaks when nothing changed, or cannot speak at all."""
        return self.cries_wolf or bool(self.silence)

    @property
    def seldom_passes(self) -> bool:
        """Whether the gate mostly cannot decide for a version that did not change; `improved` is not asked to."""
        return self.speaks is Outcome.REGRESSED and self.inconclusive > SELDOM * self.splits

    @property
    def is_sound(self) -> bool:
        """Whether the gate passes a version that did not change, and can fail one that did."""
        return not self.is_wrong and not self.seldom_passes


@dataclass(frozen=True, slots=True)
class Said:
    """What a gate said once; its whole verdict, with all scores, is too large to be kept a thousand times."""

    outcome: Outcome
    change: float | None
    """Candidate − baseline, in the metric's unit; positive is better."""
    reason: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A gate that is asked again and again."""

    evidence: dict[str, Any]
    pool: Pool

    @property
    def speaks(self) -> Outcome:
        """What it must not say when nothing changed."""
        return SPEAKS[self.evidence["kind"]]

    def says(self, halves: Halves) -> Said:
        """What it says of two sides. Slices decide nothing and are left out."""
        parameters = self.evidence["parameters"]
        by_trial = parameters.get("estimand") == "suite"  # nobody else looks at them, and they are many
        sides = {
            "candidate": self.pool.scores(halves.candidate, by_trial=by_trial),
            "baseline": self.pool.scores(halves.baseline, by_trial=by_trial),
        }
        without_slices = {"slices": None} if parameters.get("slices") else {}
        verdict = recompute(self.evidence | sides, **without_slices)
        return Said(verdict.outcome, verdict.delta, verdict.reason)


def self_check(evidence: dict[str, Any], *, splits: int = 400, seed: int = 0) -> SelfCheck:
    """The A/A check of a gate that compared a version with itself.

    Every verdict is the gate's own: its parameters, its corrected level. An effect is looked for in the same splits,
    by breaking cases outright, in an order drawn for each run; metrics without bounds are shifted in all cases alike.

    Args:
        evidence: Of a verdict whose kind is in `SPEAKS`; by trial where cases were asked more than once.
        splits: How often trials are dealt, at least 1.
        seed: Of the dealing and of the order of breaking.

    Raises:
        ValueError: If the kind has no A/A check, or there are no splits.
    """
    if evidence["kind"] not in SPEAKS or splits < 1:
        msg = f"kind={evidence['kind']!r}, splits={splits!r}; expected one of {', '.join(SPEAKS)} and at least 1 split"
        raise ValueError(msg)
    subject, random = Subject(evidence, pool_of(evidence["candidate"])), np.random.default_rng(seed)
    # Equal trials give equal halves: one deal shows them all.
    count = splits if subject.pool.varies else 1
    deals = [subject.pool.deal(random) for _ in range(min(RUNS, count))]
    rest = (subject.pool.deal(random) for _ in range(count - len(deals)))
    said = [subject.says(halves) for halves in chain(deals, rest)]
    found = _with_alarms(_blank(subject, splits), said)
    if said[0].outcome is Outcome.INVALID:
        return replace(found, is_valid=False, reach=0.0, silence=said[0].reason)
    return _with_effect(found, subject, deals, random)


def _blank(subject: Subject, splits: int) -> SelfCheck:
    candidate, baseline = subject.evidence["candidate"], subject.evidence["baseline"]
    bounds = candidate["bounds"]
    return SelfCheck(
        speaks=subject.speaks,
        cases=len(subject.pool.places),
        a_side=subject.pool.a_side,
        splits=splits,
        scale=Scale(shorten(candidate["unit"], 30), bounds is not None and tuple(bounds) == (0.0, 1.0)),
        varies=subject.pool.varies,
        decoding=(candidate["basis"] or {}).get("decoding", ""),
        is_repeatable=candidate["values"] == baseline["values"],
        is_bounded=bounds is not None,
    )


def _with_alarms(found: SelfCheck, said: Sequence[Said]) -> SelfCheck:
    alarms = [each for each in said if each.outcome is found.speaks]
    changes = [each.change for each in said if each.change is not None]
    stands_for = found.splits // len(said)
    return replace(
        found,
        alarms=stands_for * len(alarms),
        alarm_reason=alarms[0].reason if alarms else "",
        inconclusive=stands_for * sum(each.outcome is Outcome.INCONCLUSIVE for each in said),
        noise=_deviation(changes) if found.a_side and changes else None,
    )


def _deviation(changes: Sequence[float]) -> float:
    return float(np.std(changes, ddof=1)) if len(changes) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Stress:
    """A gate under damage, in simulated runs."""

    subject: Subject
    deals: Sequence[Halves]
    """Used in turn."""
    runs: int
    damage: Damage

    def says(self, degree: int, run: int) -> Said:
        """What the gate says in one run."""
        halves = self.deals[run % len(self.deals)]
        return self.subject.says(Halves(self.damage.done(halves.candidate, degree, run), halves.baseline))

    def says_in_all(self, degree: int) -> list[Said]:
        """What the gate says in every run."""
        return [self.says(degree, run) for run in range(self.runs)]

    def is_noticed(self, degree: int) -> bool:
        """Whether the gate speaks in enough runs; no more of them are looked at than settle it."""
        noticed, missed, enough = 0, 0, POWER * self.runs
        while noticed < enough and missed <= self.runs - enough:
            speaks = self.says(degree, noticed + missed).outcome is self.subject.speaks
            noticed, missed = noticed + speaks, missed + (not speaks)
        return noticed >= enough

    @property
    def does_nothing(self) -> bool:
        """Whether every case is as far as the damage goes already."""
        before = self.deals[0].candidate
        return bool(np.array_equal(self.damage.done(before, self.damage.most, 0), before))


def _with_effect(found: SelfCheck, subject: Subject, deals: Sequence[Halves], random: np.random.Generator) -> SelfCheck:
    runs, is_loss = min(RUNS, found.splits), subject.speaks is Outcome.REGRESSED
    stress = Stress(subject, deals, runs, damage_to(subject.pool, is_loss=is_loss, runs=runs, random=random))
    most = stress.damage.most
    if not stress.is_noticed(most):
        return _silenced(found, stress, is_loss=is_loss)
    degree = 1 + bisect_left(range(1, most), x=True, key=stress.is_noticed)
    changes = [each.change or 0.0 for each in stress.says_in_all(degree)]
    return replace(found, effect=Effect(float(np.mean(changes)), stress.damage.broken(degree)))


def _silenced(found: SelfCheck, stress: Stress, *, is_loss: bool) -> SelfCheck:
    """With why the gate does not speak even when every case is changed as far as can be."""
    said = stress.says_in_all(stress.damage.most)
    silent = [each for each in said if each.outcome is not found.speaks]
    reason = silent[0].reason or f"the verdict is {silent[0].outcome.value}"
    if stress.does_nothing:
        reason = f"every score is at the {'worst' if is_loss else 'best'} value already"
    return replace(found, reach=1 - len(silent) / len(said), silence=reason)
