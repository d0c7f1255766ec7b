"""Finding: what is known of one stage of the network, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.layers.signature import Signature


class StageVerdict(StrEnum):
    """What a stage is to the candidate's error."""

    OK = "OK"
    AMPLIFIER = "AMPLIFIER"
    """Right by itself, but it enlarges an error that comes in."""
    CULPRIT = "CULPRIT"
    """Wrong on the reference's own input."""
    NOT_COMPARED = "NOT-COMPARED"


@dataclass(frozen=True, slots=True)
class Split:
    """A layer's error when each model runs on its own input, relative to the size of the reference's output."""

    free: float
    """‖b − a‖."""
    local: float
    """‖B(a) − A(a)‖, made here."""
    inherited: float
    """‖B(b) − B(a)‖, made of what came in; the vectors local + inherited are free, exactly."""
    alignment: float
    """Cosine of local and inherited: free² = local² + inherited² + 2 · alignment · local · inherited."""
    amplification: float
    """Growth of the incoming error, relative to the state."""
    control_free: float
    """‖r − a‖, of the control on its own input."""


@dataclass(frozen=True, slots=True)
class StageFinding:
    """One stage: a part of the network between the prompts and the logits."""

    name: str
    """Path below the model's base, for example `layers.3` or `layers.3.self_attn.q_proj`; `mask` for masks."""
    verdict: StageVerdict
    problem: str = ""
    """What the error looks like, or why the stage was not compared."""
    local: float = 0.0
    """Error on the reference's input, relative to what the stage adds (of a layer its output − its input)."""
    control: float = 0.0
    """The same of the control."""
    signature: Signature | None = None
    split: Split | None = None
    """None where there is no free run: masks, tables and modules within a layer."""
    hint: str = ""
    """What the weights say: equal, or the transform that they look like."""
    recovered_kl: float | None = None
    """Mean KL that goes away when the reference does this stage, in nats; known of the worst culprits."""
    parts: tuple[StageFinding, ...] = ()
    """Modules of a layer that was looked into."""

    @property
    def culprits(self) -> tuple[StageFinding, ...]:
        """The smallest parts that are wrong by themselves."""
        found = tuple(each for part in self.parts for each in part.culprits)
        return found or ((self,) if self.verdict is StageVerdict.CULPRIT else ())
