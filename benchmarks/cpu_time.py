"""CPU time of a process and of all it started."""

import os
import subprocess


def cpu_seconds(command: list[str], **variables: str) -> float:
    """CPU seconds of a process that must succeed, with these variables in its environment."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | variables
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime
