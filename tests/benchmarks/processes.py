"""The processes of a peer, as its host sees them: which there are, their memory, their CPU time."""

from __future__ import annotations

import os

import psutil


def family() -> list[int]:
    """This process and all below it."""
    return [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]


def by_role(role: str) -> dict[str, list[int]]:
    """The direct children of this process, all of one role, but for what multiprocessing has for itself."""
    children = psutil.Process().children()
    return {role: [child.pid for child in children if "resource_tracker" not in " ".join(child.cmdline())]}


def pss_bytes(pid: int) -> int:
    """Memory of a process, what it shares divided by the number of those that share it; 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    except (FileNotFoundError, ProcessLookupError, StopIteration):
        return 0


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def roles(named: dict[str, list[int]]) -> dict[str, list[int]]:
    """All processes of a peer by role: this one is its client, those without a name are helpers."""
    me = os.getpid()
    found = {"client": [me]}
    found |= {role: [pid for pid in pids if pid != me] for role, pids in named.items()}
    known = {pid for pids in found.values() for pid in pids}
    found["helper"] = [pid for pid in family() if pid not in known]
    return {role: pids for role, pids in found.items() if pids}
