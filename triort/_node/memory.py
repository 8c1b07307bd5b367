"""How much memory a process has, and how much one worker may have."""

from __future__ import annotations

import os
from pathlib import Path

MEMORY_SHARE = 0.95
"""How much of the machine's memory all workers together may have, unless they are told otherwise."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CGROUPS = Path("/sys/fs/cgroup")


def memory_of(pid: int) -> int:
    """What a process has in memory for itself, in bytes: neither files nor memory that it shares by files (a page that
    it still shares with its template counts). 0 when there is no such process any more."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _, resident, shared, *_ = file.read().split()
    except OSError:
        return 0
    return max(int(resident) - int(shared), 0) * _PAGE_BYTES


def default_limit(num_workers: int) -> int:
    """What one of so many workers may have: its share of what this process may use."""
    return int(total_memory() * MEMORY_SHARE / max(num_workers, 1))


def total_memory() -> int:
    """What this process may use: the machine's memory, or less where a control group says so."""
    total = os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            total = min([total, *_limits(_CGROUPS, path, "memory.max")])
        elif "memory" in controllers.split(","):
            total = min([total, *_limits(_CGROUPS / "memory", path, "memory.limit_in_bytes")])
    return total


def _limits(root: Path, path: str, name: str) -> list[int]:
    """The limits of a control group and of those around it; in a container the path may not be there, the root is."""
    found = []
    folder = root / path.lstrip("/")
    for each in {root, folder, *(parent for parent in folder.parents if root in parent.parents)}:
        try:
            text = (each / name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdigit() and int(text) > 0:
            found.append(int(text))
    return found
