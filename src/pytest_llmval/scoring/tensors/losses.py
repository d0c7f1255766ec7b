"""Loss: that of a whole is the same however its rows are batched, padded, packed or accumulated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.comparison import Comparison, TensorComparison, concluded
from pytest_llmval.scoring.tensors.invariances.subject import accepts
from pytest_llmval.scoring.tensors.norms import compare_rel_l2
from pytest_llmval.scoring.tensors.rows import IGNORED, arguments_of, arranged, together
from pytest_llmval.scoring.tensors.wording import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import torch

    from pytest_llmval.scoring.tensors.formats import Floats
    from pytest_llmval.scoring.tensors.rows import Batch

    LossOf = Callable[[list[Batch]], Any]
    """The loss of all rows of all batches together: the sum over scored tokens, or their mean."""


def compare_loss_partitions(
    loss_of: LossOf | torch.nn.Module,
    rows: Sequence[Sequence[int]],
    *,
    parameters: Iterable[torch.Tensor] | None = None,
    packing: bool = False,
    pads: Sequence[int] = (1, 7),
    pad_id: int = 0,
    max_rel: float = 1e-5,
) -> Comparison:
    """The loss of rows in one batch against that of the same rows one by one, cut unevenly, reversed and padded.

    Args:
        loss_of: A causal language model, whose loss is then `summed_loss`; or the function under test, for example
            the one of a training loop. It gets a list of batches, which it may accumulate over, and gives the loss of
            all of them together, as a sum over the scored tokens or as their mean. A batch holds `input_ids`,
            `attention_mask`, `position_ids` and `labels`, each `[rows, columns]`; labels are not shifted; −100, also
            that of the first token of each row, does not count.
        rows: Token ids of at least two rows of different lengths, each of at least two tokens.
        parameters: Those whose gradients must agree as well; `backward` is called on the loss unless it was already.
            Their gradients are cleared.
        packing: Whether all rows are also read as one, with positions that start again at each row and without an
            attention mask, as transformers' `DataCollatorWithFlattening` packs them.
        pads: Columns of padding that are added at the right, and at the left.
        pad_id: Token id under padding.
        max_rel: Largest relative error of loss and gradient.

    Returns:
        One loss, and one gradient, an arrangement.

    Raises:
        ValueError: If the rows could not show a fault.
        InvalidComparison: If the loss differs between two equal calls, does not depend on the rows, or is equal to
            the mean of the rows' losses, so that a mean of means would not be seen.
    """
    measured_by = _Measure(loss_of, None if parameters is None else list(parameters))
    arrangements = arranged(rows, packing=packing, pads=pads, pad_id=pad_id)
    whole = [together(rows, pad_id=pad_id)]
    expected = measured_by(whole)
    _require_alive(measured_by, rows, whole, expected, max_rel)
    found = {name: measured_by(batches) for name, batches in arrangements.items()}
    compared = compare_rel_l2(found, dict.fromkeys(arrangements, expected), max_rel)
    explained = [_explained(each, measured_by, arrangements, found, max_rel) for each in compared.tensors]
    return Comparison(f"loss of {len(rows)} rows as in one batch, rel-L2 within {number(max_rel)}", tuple(explained))


def assert_loss_partition_invariant(
    loss_of: LossOf | torch.nn.Module,
    rows: Sequence[Sequence[int]],
    *,
    parameters: Iterable[torch.Tensor] | None = None,
    packing: bool = False,
    pads: Sequence[int] = (1, 7),
    pad_id: int = 0,
    max_rel: float = 1e-5,
) -> Comparison:
    """The loss of rows does not depend on how they are batched, padded, packed or accumulated.

    See `compare_loss_partitions`. Run it in float32: in bfloat16 honest rounding is as large as many faults.

    Raises:
        ModelRegression: If an arrangement has another loss or gradient.
        InvalidComparison: If the loss cannot show a fault.
    """
    __tracebackhide__ = True
    return concluded(
        compare_loss_partitions(
            loss_of, rows, parameters=parameters, packing=packing, pads=pads, pad_id=pad_id, max_rel=max_rel
        )
    )


def summed_loss(model: torch.nn.Module) -> LossOf:
    """The function that gives Σ −ln p over all scored tokens of all batches, from a model's logits, in float64.

    The model is called with those of `input_ids`, `attention_mask` and `position_ids` that its forward takes, on the
    device of its parameters, and gives logits `[rows, columns, vocabulary]`, alone or as `.logits`.
    """

    def loss_of(batches: list[Batch]) -> torch.Tensor:
        losses = [_batch_loss(model, batch) for batch in batches]
        return sum(losses[1:], start=losses[0])

    return loss_of


def _batch_loss(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    inputs = arguments_of(model, {name: tensor for name, tensor in batch.items() if name != "labels"})
    options = {"use_cache": False} if accepts(model, "use_cache") else {}
    output = model(**inputs, **options)
    logits = getattr(output, "logits", output)[:, :-1]
    labels = batch["labels"][:, 1:].to(logits.device)
    scored = labels != IGNORED
    # log-softmax of float64, never the logarithm of a softmax, which underflows.
    logprobs = logits[scored].double().log_softmax(dim=-1)
    chosen: torch.Tensor = logprobs.gather(-1, labels[scored].unsqueeze(-1))
    return -chosen.sum()


class _Measure:
    """Calls the loss, and gathers the gradient when parameters are given."""

    def __init__(self, loss_of: Any, parameters: list[torch.Tensor] | None) -> None:
        import torch

        self.loss_of = summed_loss(loss_of) if isinstance(loss_of, torch.nn.Module) else loss_of
        self.parameters = parameters
        self.is_module = isinstance(loss_of, torch.nn.Module)

    def __call__(self, batches: list[Batch]) -> dict[str, Any]:
        """The loss, and the gradient as one vector."""
        import torch

        if self.parameters is None:
            with torch.set_grad_enabled(not self.is_module and torch.is_grad_enabled()):
                return {"loss": _plain(self.loss_of(batches))}
        self._clear()
        value = self.loss_of(batches)
        if torch.is_tensor(value) and value.requires_grad:
            value.backward()  # type: ignore[no-untyped-call]
        gradient = self._gradient()
        self._clear()
        return {"loss": _plain(value), "gradient": gradient}

    def _clear(self) -> None:
        for parameter in self.parameters or ():
            parameter.grad = None

    def _gradient(self) -> Floats:
        found = [p.grad for p in self.parameters or () if p.grad is not None]
        if not found:
            msg = "no parameter has a gradient; expected a loss that backward() can follow to them"
            raise InvalidComparison(msg)
        return np.concatenate([each.detach().double().cpu().numpy().ravel() for each in found])


def _plain(loss: Any) -> float:
    return float(loss.detach() if hasattr(loss, "detach") else loss)


def _require_alive(
    measured_by: _Measure,
    rows: Sequence[Sequence[int]],
    whole: list[Batch],
    expected: Mapping[str, Any],
    max_rel: float,
) -> None:
    """The controls: what must repeat repeats, what must move the loss moves it."""
    loss = expected["loss"]
    again = measured_by(whole)["loss"]
    if abs(again - loss) > max_rel * abs(loss):
        msg = f"the same batch has the loss {loss:.9g} and then {again:.9g}; expected no dropout and no other chance"
        raise InvalidComparison(msg)
    alone = [measured_by([together([row])])["loss"] for row in rows]
    if all(each == loss for each in alone):
        msg = f"the loss is {loss:.9g} whatever the rows are; expected one that depends on them"
        raise InvalidComparison(msg)
    mean = sum(alone) / len(alone)
    if abs(mean - loss) <= 2 * max_rel * abs(loss):
        msg = (
            f"the mean of the rows' own losses, {mean:.9g}, is the loss of the batch, {loss:.9g}, so a mean of means "
            f"would not be seen; expected rows that the model finds differently hard"
        )
        raise InvalidComparison(msg)


def _explained(
    each: TensorComparison,
    measured_by: _Measure,
    arrangements: Mapping[str, list[Batch]],
    found: Mapping[str, Mapping[str, Any]],
    max_rel: float,
) -> TensorComparison:
    """A failing arrangement whose loss is the mean of its batches' losses says so."""
    name = each.path.rpartition(".")[0]
    if each.passed or len(arrangements[name]) < 2:  # noqa: PLR2004 - one batch has no mean
        return each
    alone = [measured_by([batch])["loss"] for batch in arrangements[name]]
    loss = found[name]["loss"]
    if abs(sum(alone) / len(alone) - loss) > 2 * max_rel * abs(loss):
        return each
    note = "it is the mean of its batches' losses: divide the sum over all batches by the number of all scored tokens"
    return replace(each, notes=(*each.notes, note))
