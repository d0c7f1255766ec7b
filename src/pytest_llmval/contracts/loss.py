"""Loss of labels: what a model says it is, against the mean NLL of its own logits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.comparison import Comparison, concluded
from pytest_llmval.scoring.tensors.formats import dtype_name, format_of
from pytest_llmval.scoring.tensors.norms import compare_rel_l2
from pytest_llmval.scoring.tensors.rows import IGNORED, arguments_of, together
from pytest_llmval.scoring.tensors.wording import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from pytest_llmval.scoring.tensors.rows import Batch

_MAX_REL = 1e-5


def assert_loss_is_mean_nll(model: Any, rows: Sequence[Sequence[int]]) -> Comparison:
    """The loss that a model gives with labels is the mean −ln p of each next token, padding left out.

    Args:
        model: A causal language model of transformers that takes `labels`.
        rows: Token ids of at least two rows of different lengths; run as one batch, padded on the right.

    Raises:
        ModelRegression: If it is another number; the message says which mistake would give it.
        InvalidComparison: If the usual mistakes give the same number, so that none would be seen.
    """
    __tracebackhide__ = True
    import torch

    batch = together(rows)
    with torch.no_grad():
        output = model(**arguments_of(model, batch))
    loss, logits = output.loss, output.logits.double()
    labels = batch["labels"].to(logits.device)
    expected = float(_nll(logits, labels, 1).mean())
    mistakes = _shifted_wrongly(logits, labels)
    allowed = max(_MAX_REL, format_of(dtype_name(loss.dtype)).eps)
    _require_telling(mistakes, expected, allowed)
    mistakes |= _averaged_wrongly(logits, labels)
    compared = compare_rel_l2({"loss": float(loss)}, {"loss": expected}, allowed)
    (found,) = compared.tensors
    if not found.passed:
        found = replace(found, notes=(*found.notes, *_recognised(float(loss), mistakes, allowed)))
    return concluded(Comparison(f"loss of labels is the mean NLL of the next tokens, {compared.check}", (found,)))


def total_loss(model: Any) -> Any:
    """The function that gives the sum of a model's own losses over all scored tokens of batches."""
    import torch

    @torch.no_grad()
    def loss_of(batches: list[Batch]) -> float:
        return sum(float(model(**arguments_of(model, batch)).loss) * _scored(batch) for batch in batches)

    return loss_of


def _scored(batch: Batch) -> int:
    return int((batch["labels"][:, 1:] != IGNORED).sum())


def _nll(logits: torch.Tensor, labels: torch.Tensor, shift: int) -> torch.Tensor:
    """−ln p of every label that counts, by the logits `shift` positions before it."""
    length = labels.shape[1] - shift
    targets = labels[:, shift:]
    scored = targets != IGNORED
    logprobs = logits[:, :length][scored].log_softmax(dim=-1)
    found: torch.Tensor = -logprobs.gather(-1, targets[scored].unsqueeze(-1)).squeeze(-1)
    return found


def _shifted_wrongly(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Losses of labels that belong to other positions, by what was done."""
    return {
        "labels are not shifted: a position is asked for the token it reads": float(_nll(logits, labels, 0).mean()),
        "labels are shifted twice: a position is asked for the token after the next": float(
            _nll(logits, labels, 2).mean()
        ),
    }


def _averaged_wrongly(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Losses over the right tokens, divided by the wrong number, by what was done."""
    right = _nll(logits, labels, 1)
    means = [_nll(logits[place : place + 1], labels[place : place + 1], 1).mean() for place in range(len(labels))]
    return {
        "it is the sum over tokens, not their mean": float(right.sum()),
        "it is divided by all positions, padding included": float(right.sum()) / labels[:, 1:].numel(),
        "it is the mean of the rows' means, in which short rows count as much as long ones": float(sum(means))
        / len(means),
    }


def _require_telling(mistakes: dict[str, float], expected: float, allowed: float) -> None:
    alike = [what for what, value in mistakes.items() if _is_near(value, expected, 2 * allowed)]
    if alike:
        msg = (
            f"the loss cannot be judged: the right one is {number(expected)}, and so is that of a mistake "
            f"({alike[0]}); expected prompts whose tokens the model finds differently hard"
        )
        raise InvalidComparison(msg)


def _recognised(loss: float, mistakes: dict[str, float], allowed: float) -> list[str]:
    return [f"as if {what}" for what, value in mistakes.items() if _is_near(loss, value, 2 * allowed)]


def _is_near(one: float, other: float, allowed: float) -> bool:
    return abs(one - other) <= allowed * max(abs(other), 1e-12)
