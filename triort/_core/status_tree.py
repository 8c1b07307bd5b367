"""A status that is sure to get through: what managers say of what is below them is cut where it is too deep or long.

Each node on the way puts its own level on top, and all answers into one message. So what one manager says, however
odd, must not make a message of the next node's that nobody takes.
"""

from __future__ import annotations

import msgspec

from triort._model.limits import STATUS_BYTES_MAX, STATUS_DEPTH_MAX
from triort._model.status import NodeStatus

_encode = msgspec.msgpack.Encoder().encode
_LIST_BYTES = 4
"""How many more bytes the length of a long list takes than that of an empty one."""


def fitting(employees: list[NodeStatus]) -> list[NodeStatus]:
    """What is told of these, so short that it fits into a header: the longest go without some of what is below them."""
    return _cut([each if _depth(each) < STATUS_DEPTH_MAX else _alone(each) for each in employees], STATUS_BYTES_MAX)


def _cut(employees: list[NodeStatus], bytes_max: int) -> list[NodeStatus]:
    found = list(employees)
    sizes = [len(_encode(each)) for each in found]
    total = sum(sizes)
    for i in sorted(range(len(found)), key=lambda i: -sizes[i]):
        if total <= bytes_max:
            break
        if found[i].employees:
            found[i] = _shortened(found[i], sizes[i] - (total - bytes_max))
            size = len(_encode(found[i]))
            total += size - sizes[i]
            sizes[i] = size
    while total > bytes_max:
        found.pop()
        total -= sizes.pop()
    return found


def _shortened(status: NodeStatus, bytes_max: int) -> NodeStatus:
    """The same with so much of what is below it that it takes no more than this."""
    room = bytes_max - len(_encode(_alone(status))) - _LIST_BYTES
    return msgspec.structs.replace(status, employees=_cut(status.employees, room) if room > 0 else [])


def _alone(status: NodeStatus) -> NodeStatus:
    return msgspec.structs.replace(status, employees=[])


def _depth(status: NodeStatus) -> int:
    """How many levels it has; `check_message` has seen to it that there is a bound."""
    depth, level = 0, [status]
    while level:
        depth += 1
        level = [employee for node in level for employee in node.employees]
    return depth
