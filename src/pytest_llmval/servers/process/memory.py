"""The memory that processes have taken."""

from __future__ import annotations

from pathlib import Path

from pytest_llmval.servers.process.warden import descendants

PROC = Path("/proc")
KIB = 1024


def peak_memory(root: int) -> int | None:
    """Bytes that the processes below this one took at most, each for itself; None where there is no /proc.

    The sum of their peaks of resident memory (`VmHWM`, see proc(5)): an upper bound, since the peaks need not coincide
    and shared pages count once a process. Processes that have ended do not count.
    """
    if not (PROC / "self" / "status").exists():
        return None
    return sum(_high_water_mark(pid) for pid in descendants(root))


def _high_water_mark(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # it has ended meanwhile
        return 0
    return sum(int(line.split()[1]) * KIB for line in lines if line.startswith("VmHWM:"))
