"""Report of a comparison layer by layer; as text, a table that names the faulty stages first."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from pytest_llmval.scoring.tensors.layers.finding import StageFinding, StageVerdict


@dataclass(frozen=True, slots=True)
class LayerReport:
    """Two models compared stage by stage."""

    stages: tuple[StageFinding, ...]
    """From the embedding to the logits."""
    problems: tuple[str, ...]
    """Why nothing can be concluded; none when all is well."""
    prompts: int
    positions: int
    kl: float
    """Mean KL(reference ‖ candidate) of the next token, in nats."""
    control_kl: float
    """The same of the control: what a faultless implementation in this precision has."""
    candidate_dtype: str
    reference_dtype: str
    control: str
    """What the control is, in words."""

    @property
    def culprits(self) -> tuple[StageFinding, ...]:
        """The smallest faulty parts; those first whose repair would bring most."""
        found = [culprit for stage in self.stages for culprit in stage.culprits]
        return tuple(sorted(found, key=lambda each: -(each.recovered_kl or 0.0)))

    @property
    def not_compared(self) -> tuple[StageFinding, ...]:
        """Stages of which nothing is known."""
        return tuple(each for each in _flat(self.stages) if each.verdict is StageVerdict.NOT_COMPARED)

    @property
    def amplifiers(self) -> tuple[StageFinding, ...]:
        """Stages that are right, and enlarge an error that comes in."""
        return tuple(each for each in self.stages if each.verdict is StageVerdict.AMPLIFIER)

    @property
    def passed(self) -> bool:
        """Whether every stage was compared, and none is at fault."""
        return bool(self.stages) and not (self.culprits or self.undecided)

    @property
    def undecided(self) -> bool:
        """Whether no stage is at fault, and not all is known."""
        return not self.culprits and bool(self.problems or self.not_compared or not self.stages)

    @property
    def headline(self) -> str:
        """The finding in one line; it begins with the name of the stage whose repair would bring most."""
        from pytest_llmval.scoring.tensors.layers.message import headline

        return headline(self)

    @property
    def context(self) -> str:
        """What was compared with what, and how far apart the outputs are, in one line each."""
        from pytest_llmval.scoring.tensors.layers.message import context

        return "\n".join(context(self))

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values, to be kept with the run; NaN and infinity, which JSON lacks, by their names."""
        return {name: _as_json(value) for name, value in asdict(self).items()}

    def __str__(self) -> str:
        from pytest_llmval.scoring.tensors.layers.message import render

        return render(self)


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_as_json(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _flat(stages: tuple[StageFinding, ...]) -> list[StageFinding]:
    return [each for stage in stages for each in (stage, *_flat(stage.parts))]
