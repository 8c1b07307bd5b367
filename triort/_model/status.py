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
    employees: list["NodeStatus"] = []
