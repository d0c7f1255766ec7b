"""Question: two versions on the same cases, and what a gate asks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llmval.verdicts.estimand import Estimand, check_estimand

if TYPE_CHECKING:
    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.verdicts.rule import Rule

Labels = Mapping[str, Sequence[str]]
"""The slices each case belongs to, by case id."""


@dataclass(frozen=True, slots=True)
class Question:
    """Both sides and what is asked of them."""

    candidate: Scores
    baseline: Scores
    rule: Rule
    parameters: Mapping[str, Any]
    """What the gate was given, by the names of its function: enough to ask again."""
    vary: tuple[str, ...] = ()
    estimand: Estimand = "population"
    slices: Labels | None = None
    weighted: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse an estimand that is none, a margin that allows everything, and weights that cannot count."""
        check_estimand(self.estimand)
        self.rule.margin.check_range(self.candidate)
        for scores in (self.candidate, self.baseline):
            if self.weighted and scores.weights is None:
                msg = f"{scores.name}: the scores have no weights; expected those of perplexity() or bits_per_byte()"
                raise ValueError(msg)
        if self.weighted and self.estimand == "suite":
            msg = "estimand='suite': cases that are weighted stand for others; expected 'population'"
            raise ValueError(msg)

    @property
    def is_clustered(self) -> bool:
        """Whether cases depend on each other; exactly these cases are no sample, so nothing depends."""
        return self.estimand == "population" and (
            self.candidate.clusters is not None or self.baseline.clusters is not None
        )

    @property
    def is_binary(self) -> bool:
        """Whether each case passed or failed once on both sides."""
        return self.candidate.kind == "binary" and self.candidate.trials == self.baseline.trials == 1

    @property
    def sign(self) -> int:
        """What turns a value so that larger is better."""
        return 1 if self.candidate.higher_is_better else -1
