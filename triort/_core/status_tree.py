"""A status that is sure to get through: what managers say of what is below them is cut where it is too deep or long.

Each node on the way puts its own level on top, and all answers into one message. So what one manager says, however
odd, must not make a message of the next node's that nobody takes.
"""

from __future__ import annotations

import msgspec

from triort._model.limits import COUNT_MAX, STATUS_BYTES_MAX, STATUS_DEPTH_MAX
from triort._model.status import NodeStatus

_encode = msgspec.msgpack.Encoder().encode


def fitting(employees: list[NodeStatus]) -> list[NodeStatus]:
    """What is told of these, so short that it fits into a header: the longest go without what is below them."""
    found = [each if _depth(each) < STATUS_DEPTH_MAX else _alone(each) for each in employees]
    sizes = [len(_encode(each)) for each in found]
    total = sum(sizes)
    for i in sorted(range(len(found)), key=lambda i: -sizes[i]):
        if total <= STATUS_BYTES_MAX:
            break
        found[i] = _alone(found[i])
        total += len(_encode(found[i])) - sizes[i]
    while total > STATUS_BYTES_MAX:
        total -= len(_encode(found.pop()))
    return found


def bounded(count: int) -> int:
    """A sum of what others have counted."""
    return max(min(count, COUNT_MAX), -COUNT_MAX)


def _alone(status: NodeStatus) -> NodeStatus:
    return msgspec.structs.replace(status, employees=[])


def _depth(status: NodeStatus) -> int:
    """How many levels it has; `check_message` has seen to it that there is a bound."""
    depth, level = 0, [status]
    while level:
        depth += 1
        level = [employee for node in level for employee in node.employees]
    return depth
