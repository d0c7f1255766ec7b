"""Without torch: NumPy and lists are compared where it is not installed."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["torch"] = None  # importing it raises ImportError

import numpy as np
from pytest_llmval.scoring.tensors import closeness, control, divergence, finite, logits, norms
from pytest_llmval.scoring.tensors import quantization, structure, top_logprobs, weights

values, rows = np.arange(6.0).reshape(2, 3), np.random.default_rng(0).normal(size=(100, 5))
closeness.assert_tensors_close({"a": values, "b": [1.0]}, {"a": values, "b": [1.0]})
closeness.assert_bitwise_equal(values, values)
closeness.assert_ulp_close(values, values, 1)
control.assert_within_control(values, values, values)
finite.assert_finite(values)
norms.assert_rel_l2(values, values, 0.1)
norms.assert_cosine(values, values, 0.9)
structure.assert_same_structure([values], [values])
weights.assert_weights_match({"w": values}, {"w": values.copy()})
quantization.assert_quantization_error(values, values, min_snr_db=20)
logits.assert_kl_below(rows, rows, 0.1)
divergence.assert_no_flips(rows, rows)
top_logprobs.compare_top_logprobs([{1: 0.0}] * 100, [{1: 0.0}] * 100)
print("done", sys.modules["torch"])
"""


def test_everything_works_on_numpy_without_torch():
    """Torch is imported only where a tensor of torch is handed in."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=False
    )

    assert finished.stderr == ""
    assert finished.stdout == "done None\n"


def test_numpy_comparisons_do_not_import_torch():
    """Nor where it is installed: importing it takes a second."""
    program = PROGRAM.replace('sys.modules["torch"] = None', "pass").replace(
        'sys.modules["torch"]', '"torch" in sys.modules'
    )

    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )

    assert finished.stderr == ""
    assert finished.stdout == "done False\n"
