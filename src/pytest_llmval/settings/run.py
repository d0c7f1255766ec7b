"""Settings: everything one run needs to know, options and files merged."""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmval.errors import SettingsError, nearest

if TYPE_CHECKING:
    from pytest_llmval.settings.config import Config
    from pytest_llmval.settings.model import ModelSettings

VARIABLE = ("dataset", "prompt", "decoding", "metric", "judge", "batching", "protocol")
"""What `--llmval-vary` may allow to differ between candidate and baseline."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run needs to know, options and files merged."""

    config: Config
    candidate: ModelSettings | None
    baseline: ModelSettings | None
    store: Path
    out: Path
    run_id: str
    seed: int = 0
    trials: int = 1
    plan: bool = False
    offline: bool = False
    strict: bool = False
    same_weights: bool = False
    """Whether the user declared with `--llmval-same-weights` that both versions share their weights."""
    vary: tuple[str, ...] = ()
    prompt: str | None = None
    """Variant of the prompt that is asked; None for the first of each case set."""
    budget: float | None = None
    """US dollars that the run may spend; None for as many as are needed."""
    audit_folder: Path | None = None
    """Where an audit keeps its records meanwhile; None when this is none."""

    def __post_init__(self) -> None:
        """Two folders may bear one name, as in `old/model` and `new/model`; servers and answers are kept by name."""
        if not self.candidate or not self.baseline or self.candidate == self.baseline:
            return
        if self.candidate.name == self.baseline.name:
            candidate, baseline = _told_apart(self.candidate, self.baseline, self.config)
            object.__setattr__(self, "candidate", candidate)
            object.__setattr__(self, "baseline", baseline)

    def for_audit(self) -> Settings:
        """The same with the candidate as its own baseline where there is none, in folders of its own.

        Bugs are put into the candidate alone; nothing that was recorded may come from a broken model.
        """
        for model in filter(None, (self.candidate, self.baseline)):
            if not model.is_engine and not model.is_recorded and model.server != "scripted":
                msg = f"--llmval-audit: bugs are put into a model in memory; that of {model.name!r} is not in this run"
                raise SettingsError(msg)
        folder = Path(tempfile.mkdtemp(prefix="llmval-audit-"))
        moved = dataclasses.replace(self, store=folder / "store", out=folder / "out", audit_folder=folder)
        if self.candidate is None or self.baseline is not None:
            return moved
        as_it_is = dataclasses.replace(self.candidate, name=f"{self.candidate.name} without bugs")
        return dataclasses.replace(moved, baseline=as_it_is, same_weights=True)

    @property
    def weights_are_shared(self) -> bool:
        """Whether numbers inside candidate and baseline must agree."""
        if self.candidate is None or self.baseline is None:
            return False
        return self.same_weights or self.candidate.weights_name == self.baseline.weights_name


def _told_apart(
    candidate: ModelSettings, baseline: ModelSettings, config: Config
) -> tuple[ModelSettings, ModelSettings]:
    """Both versions, folders named by as much of their paths as tells them apart; a name from the file stays."""
    sides = (candidate, baseline)
    if any(side.is_asked for side in sides):
        msg = f"candidate and baseline are both called {candidate.name!r}; give each an entry of its own in [models]"
        raise SettingsError(msg)
    tails = [Path(side.model).parts for side in sides]
    length = next((n for n in range(1, max(map(len, tails)) + 1) if tails[0][-n:] != tails[1][-n:]), None)
    names = ["/".join(tail[-length:]) if length else side.model for side, tail in zip(sides, tails, strict=True)]
    first, second = (
        side if side == config.models.get(side.name) else dataclasses.replace(side, name=name)
        for side, name in zip(sides, names, strict=True)
    )
    return first, second


def axes_from(text: str | None, option: str) -> tuple[str, ...]:
    """What may differ between two sides, from a list with commas.

    Raises:
        SettingsError: If a name is unknown; the message suggests the nearest.
    """
    axes = tuple(each.strip() for each in (text or "").split(",") if each.strip())
    for axis in axes:
        if axis not in VARIABLE:
            msg = f"{option} {axis!r}: {nearest(axis, VARIABLE)}"
            raise SettingsError(msg)
    return axes
