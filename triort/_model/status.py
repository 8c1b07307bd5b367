"""What is told of a node to people and programs that ask."""

import msgspec


class NodeStatus(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One node of the tree, as its boss or it itself sees it."""

    name: str
    kind: str
    pid: int
    num_workers: int
    idle_workers: int
    tasks: int
    backlog: int
    running: str = ""
    restarts: int = 0
    done: int = 0
    """Tasks that have ended on the workers that are here now, since these started."""
    rate: float = 0.0
    """Of these, how many a second since the request for status before this one (or since the start)."""
    employees: list["NodeStatus"] = []
    losses: int = 0
    """Employees that this node has lost, whatever has replaced them."""
    blamed: int = 0
    """How often a task was on the CPU of a worker here that died."""
    memory_bytes: int = 0
    """What a worker's process has in memory; 0: not known."""
    state: str = ""
    """What is unusual: stalled, draining."""
