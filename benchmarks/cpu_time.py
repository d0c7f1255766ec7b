"""CPU time of a process and of all it started."""

import os
import subprocess
import tempfile

SHOWN = 2000
"""Characters of a failed process's output that are told."""


def cpu_seconds(command: list[str], **variables: str) -> float:
    """CPU seconds of a process that must succeed, with these variables in its environment.

    Raises:
        RuntimeError: If it fails; the text has the end of its output.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | variables
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)  # noqa: S603
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            end = output.read()[-SHOWN:].decode(errors="replace")
            msg = f"{' '.join(command)}: exit status {process.returncode}:\n{end}"
            raise RuntimeError(msg)
    return usage.ru_utime + usage.ru_stime
