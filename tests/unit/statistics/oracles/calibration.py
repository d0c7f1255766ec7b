"""Writes calibration.json: what scikit-learn and torchmetrics say about the same answers.

Run it in an environment of its own, for neither is a dependency of this package::

    python -m venv oracle-env && oracle-env/bin/pip install torch==2.13.0
    oracle-env/bin/pip install scikit-learn==1.9.1 torchmetrics
    oracle-env/bin/python tests/unit/statistics/oracles/calibration.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import binary_calibration_error

CASES, CLASSES = 240, 4


def main() -> None:
    """Confidences off the edges of bins, where the definitions agree; at 0, at 1 and on edges they do not."""
    random = np.random.default_rng(11)
    sure = random.beta(5, 1.5, CASES).round(4)
    right = (random.random(CASES) < sure - 0.06).astype(int)
    rows = random.dirichlet(np.full(CLASSES, 0.7), CASES)
    answers = np.array([random.choice(CLASSES, p=row) for row in rows])
    curve = calibration_curve(right, sure, n_bins=15, strategy="uniform")
    norms = {
        norm: float(binary_calibration_error(torch.tensor(sure), torch.tensor(right), n_bins=15, norm=norm))
        for norm in ("l1", "l2", "max")
    }
    figures = {
        "source": ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "torchmetrics")),
        "confidences": sure.tolist(),
        "correct": right.tolist(),
        "probabilities": rows.tolist(),
        "answers": answers.tolist(),
        "torchmetrics": norms,
        "brier_binary": float(brier_score_loss(right, sure)),
        "brier_multiclass": float(brier_score_loss(answers, rows, scale_by_half=False)),
        "log_loss": float(log_loss(answers, rows)),
        "curve": {"accuracy": curve[0].tolist(), "confidence": curve[1].tolist()},
    }
    (Path(__file__).parent / "calibration.json").write_text(json.dumps(figures) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
