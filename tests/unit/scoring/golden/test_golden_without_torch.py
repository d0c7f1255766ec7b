"""Without torch and without safetensors: goldens of bfloat16 are read, goldens of NumPy are written."""

from __future__ import annotations

import subprocess
import sys

import torch

from pytest_llmval.scoring.tensors.golden.file import add_goldens

PROGRAM = """
import sys
from pathlib import Path
sys.modules["torch"] = sys.modules["safetensors"] = None  # importing them raises ImportError

import numpy as np
from pytest_llmval.scoring.tensors.golden.allowance import Asked
from pytest_llmval.scoring.tensors.golden.comparing import compare_with_golden, kept_tensors
from pytest_llmval.scoring.tensors.golden.file import read_goldens

golden = read_goldens(Path(sys.argv[1]))[0]
print([tensor.numbers().tolist() for tensor in golden.tensors], [tensor.dtype for tensor in golden.tensors])
for tier in ("fingerprint", "slices", "half", "logits", "full"):
    kept_tensors(np.ones((3, 4)), tier)
print("done", sys.modules["torch"])
"""


def test_goldens_need_neither_torch_nor_the_library(tmp_path, golden_of):
    """A suite that asks a remote server has neither."""
    path = tmp_path / "a.safetensors"
    value = [torch.tensor([1.5, -2.0], dtype=torch.bfloat16), torch.tensor([0.25], dtype=torch.float8_e4m3fn)]
    add_goldens(path, (golden_of(value),))

    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(path)], capture_output=True, text=True, check=False
    )

    assert finished.stderr == ""
    assert finished.stdout == "[[1.5, -2.0], [0.25]] ['bfloat16', 'float8_e4m3fn']\ndone None\n"
