"""What a node takes where nobody says otherwise: its ports, and a worker for each CPU."""

from __future__ import annotations

import os

DEFAULT_SERVER_PORT = 7472
DEFAULT_MANAGER_PORT = 7473
DEFAULT_WORKER_PORT = 7474


def count_cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
