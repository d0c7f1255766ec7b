"""How much memory this process took at most."""

from __future__ import annotations

import sys

import torch

KIBIBYTE = 1024


def peak_memory(device: torch.device) -> int | None:
    """Bytes: of all tensors on a CUDA device at the same time, elsewhere of the whole process; None on Windows."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * KIBIBYTE  # Linux counts kibibytes, macOS bytes
