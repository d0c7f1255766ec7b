"""The training loop: AdamW, warm-up and cosine decay."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batches import Batch
    from checkpoint import Model

BATCHES_PER_STEP = 3
"""Several, because a batch of one length is nearly a batch of one task."""


@dataclass(frozen=True)
class Schedule:
    """How far and how fast to train."""

    steps: int
    rate: float
    """Highest learning rate."""
    warmup: int = 0
    """Steps until the highest rate."""
    floor: float = 0.05
    """Share of the highest rate at the end."""
    weight_decay: float = 0.05

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def fit(model: Model, batches: Iterator[Batch], schedule: Schedule) -> None:
    """Trains the model in place."""
    model.train()
    optimizer = torch.optim.AdamW(_parameter_groups(model, schedule), betas=(0.9, 0.98))
    start = time.monotonic()
    for step in range(schedule.steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate_at(step)
        loss = _accumulate_gradients(model, list(islice(batches, BATCHES_PER_STEP)))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0 or step + 1 == schedule.steps:
            _report(step, loss, time.monotonic() - start)
    model.train(mode=False)


def _accumulate_gradients(model: Model, batches: list[Batch]) -> float:
    """Adds the gradients of the mean weighted loss, and returns that loss."""
    total_weight = sum(batch.weights[:, 1:].sum().item() for batch in batches)
    total_loss = 0.0
    for batch in batches:
        loss = _summed_loss(model, batch) / total_weight
        torch.autograd.backward(loss)
        total_loss += loss.item()
    return total_loss


def _summed_loss(model: Model, batch: Batch) -> torch.Tensor:
    logits = model(input_ids=batch.ids[:, :-1], use_cache=False).logits
    losses = functional.cross_entropy(logits.flatten(0, 1), batch.ids[:, 1:].flatten(), reduction="none")
    return (losses * batch.weights[:, 1:].flatten()).sum()


def _parameter_groups(model: Model, schedule: Schedule) -> list[dict[str, object]]:
    """Matrices with weight decay, norms without."""
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    decay = schedule.weight_decay
    return [
        {"params": matrices, "weight_decay": decay, "lr": schedule.rate},
        {"params": vectors, "weight_decay": 0.0, "lr": schedule.rate},
    ]


def _report(step: int, loss: float, seconds: float) -> None:
    sys.stdout.write(f"  step {step:5d}  loss {loss:.4f}  {seconds:6.1f} s\n")
    sys.stdout.flush()
