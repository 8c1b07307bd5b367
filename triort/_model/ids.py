"""Who is who: node ids, task addresses, and how an id range is split over employees.

An address names one attempt of one task and is never used twice: it is the id of the node that owns the task (the
worker whose task submitted it, or the server for a job) followed by that node's own serial number. A task that is
submitted again gets a new address, so a late answer to the old one finds nothing: that is the fence.
"""

from typing import NewType

NodeId = NewType("NodeId", int)
Address = NewType("Address", int)
JobId = NewType("JobId", int)
Digest = NewType("Digest", bytes)

NODE_ID_LIMIT = 2**30
SERIAL_BITS = 33
SERIAL_LIMIT = 2**SERIAL_BITS


def make_address(owner: NodeId, serial: int) -> Address:
    """The address of the ``serial``-th task that ``owner`` has submitted."""
    return Address(owner << SERIAL_BITS | serial)


def owner_of(address: Address) -> NodeId:
    """The node that submitted the task, keeps its payload and waits for its outcome."""
    return NodeId(address >> SERIAL_BITS)


def show_address(address: Address) -> str:
    """How an address is written for people: ``OWNER:SERIAL``."""
    return f"{address >> SERIAL_BITS}:{address & (SERIAL_LIMIT - 1)}"


def split_ids(lower: int, upper: int, shares: int) -> list[tuple[int, int]]:
    """Split ``[lower, upper)`` evenly into ``shares`` ranges and leave one more share for those that join late."""
    step = (upper - lower) // (shares + 1)
    if step < 1:
        raise ValueError(f"the id range [{lower}, {upper}) is too small for {shares} employees")
    return [(lower + i * step, lower + (i + 1) * step) for i in range(shares)]
