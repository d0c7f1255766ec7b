"""The masks that layers are given, each distinct one read once: compared, and put into the other's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.tensors.layers.finding import StageFinding, StageVerdict
from pytest_llmval.scoring.tensors.layers.masks import Sight, difference_of, mask_like, sight_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.layers.staged import Prologue, StagedModel
    from pytest_llmval.scoring.tensors.layers.trio import Trio


class Masks:
    """The masks that the layers are given, each distinct one read once."""

    def __init__(self, trio: Trio) -> None:
        self._trio = trio
        self._sights: dict[int, Sight | None] = {}
        self._differing: dict[tuple[int, int], bool] = {}

    def compared(self, prologues: list[Prologue]) -> Iterator[StageFinding]:
        """One finding for each kind of mask."""
        reference, candidate, _ = prologues
        trio, seen = self._trio, {}
        for index, (theirs, ours) in enumerate(zip(reference.calls, candidate.calls, strict=True)):
            if (id(ours.mask), id(theirs.mask)) in seen:
                continue
            seen[id(ours.mask), id(theirs.mask)] = index
            name = (
                "mask"
                if len(seen) == 1
                else f"mask of {trio.candidate.layout.short(trio.candidate.layout.layer(index))}"
            )
            yield self._found(name, ours.mask, theirs.mask)

    def forced(self, model: StagedModel, own: Any, reference: Any) -> Any:
        """The reference's mask in the form of a model's own one; the own one where they let the same be seen."""
        if not self._differing.get((id(own), id(reference))):
            return own
        sight = self._sight(self._trio.reference, reference)
        assert sight is not None  # noqa: S101 - masks that cannot be read do not differ
        return mask_like(sight, own, self._trio.batch, model.dtype, model.device)

    def _found(self, name: str, ours: Any, theirs: Any) -> StageFinding:
        trio = self._trio
        own, exact = self._sight(trio.candidate, ours), self._sight(trio.reference, theirs)
        if own is None or exact is None:
            problem = f"masks of type {type(ours if own is None else theirs).__name__} cannot be read"
            return StageFinding(name, StageVerdict.NOT_COMPARED, problem)
        found = difference_of(own, exact, trio.batch)
        self._differing[id(ours), id(theirs)] = found is not None
        if found is None:
            return StageFinding(name, StageVerdict.OK)
        sees = "no longer sees" if found.allowed else "sees"
        problem = (
            f"{found.count} pairs of positions differ, first: in prompt {found.row}, position {found.query} {sees} "
            f"position {found.key}{' (padding)' if found.key < 0 else ''}"
        )
        return StageFinding(name, StageVerdict.CULPRIT, problem)

    def _sight(self, model: StagedModel, mask: Any) -> Sight | None:
        key = id(mask) if mask is not None else hash(model.attention)
        if key not in self._sights:
            self._sights[key] = sight_of(mask, self._trio.batch, model.attention)
        return self._sights[key]
