"""Processes that are interrupted once they have begun."""

import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

STARTS_S = 40
ENDS_S = 20


def interrupted(command: Sequence[str], mark: Path) -> tuple[int, bytes]:
    """Run the command, interrupt it when the file ``mark`` is there, and return its exit code and what its stderr
    says."""
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + STARTS_S
        while not mark.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=ENDS_S)
    return process.returncode, errors
