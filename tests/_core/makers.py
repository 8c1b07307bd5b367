"""How the unit tests of the cores make specs, attempts and nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triort._core.attempts import Attempt
from triort._core.employee import Employee
from triort._core.links import Link, Send
from triort._core.node_core import Direction, NodeCore
from triort._model.ids import Address, Digest, JobId, NodeId, make_address
from triort._model.messages import Blobs, Message, Options, Outcomes, Returned, Started, Submit, TaskSpec

JOB = JobId(1)
FN = Digest(b"fn")
BOSS = "boss"


def make_spec(depth: int = 0, name: str = "work", blobs: tuple[Digest, ...] = (), **options: Any) -> TaskSpec:
    return TaskSpec(JOB, FN, name, depth, Options(**options), blobs)


SPEC = make_spec()


def own(worker: int, serial: int) -> Address:
    """The address of the ``serial``-th task of w0, w1, …"""
    return make_address(NodeId(worker + 1), serial)


def make_attempt(address: int, spec: TaskSpec = SPEC, origin: Link | None = None, **more: Any) -> Attempt:
    return Attempt(Address(address), spec, b"%d" % address, origin, **more)


def submit(
    *addresses: int, batch: int = 1, spec: TaskSpec = SPEC, parents: Sequence[int] = (), left: Any = None
) -> tuple[Submit, list[bytes]]:
    parts = [b"%d" % address for address in addresses]
    columns = [Address(address) for address in addresses]
    sizes = [len(part) for part in parts]
    above = [Address(parent) for parent in parents]
    return Submit(batch, [spec], columns, [0] * len(parts), sizes, left or {}, above), parts


def one(batch: int, *addresses: int) -> Submit:
    return submit(*addresses, batch=batch)[0]


def returned(batch: int, *addresses: int) -> Returned:
    message, _ = submit(*addresses)
    return Returned(batch, message.specs, message.addresses, message.spec_of, message.sizes)


def blobs() -> tuple[Blobs, list[bytes]]:
    return Blobs(JOB, [FN], [4]), [b"code"]


def outcomes(*addresses: int, batch: int = 1, kind: int = 0, duration_us: int = 100) -> tuple[Outcomes, list[bytes]]:
    count = len(addresses)
    columns = [Address(address) for address in addresses]
    return Outcomes(batch, columns, [kind] * count, [duration_us] * count, [1] * count), [b"v"] * count


class Node:
    """A manager's core with employees called w0, w1, … (or as given), and below a boss unless told otherwise."""

    def __init__(self, workers: int = 2, *, boss: bool = True, managers: Sequence[int] = ()) -> None:
        self.core = NodeCore(choose=lambda name, n: 0)
        self.core.name = "m"
        if boss:
            self.core.set_boss(BOSS, BOSS, 0, 2**30)
        for number in range(workers):
            self.hire(f"w{number}", number)
        for number, size in enumerate(managers):
            self.hire(f"m{number}", 100 + number, "manager", size)
        if boss:
            self.core.outbox.append(Send(BOSS, Started(sum(managers) + workers, "m", 1), ()))
        self.core.flush()

    def hire(self, name: str, number: int, kind: str = "worker", size: int = 1) -> Employee:
        employee = Employee(Link(name, name), name, kind, number + 1, number + 2, 0, size)
        self.core.add_employee(employee)
        self.core.hops.blobs.setdefault(JOB, {})[FN] = b"code"
        employee.link.known[JOB] = {FN}
        if self.core.boss is not None:
            self.core.boss.known[JOB] = {FN}
        return employee

    def extra(self, name: str, number: int) -> list[tuple[object, Message]]:
        """A worker for suspects has started; returns what is sent."""
        employee = Employee(Link(name, name), name, "worker", number + 1, number + 2, 0, 0)
        employee.is_extra = True
        employee.link.known[JOB] = {FN}
        self.core.add_employee(employee)
        return self.sent()

    def employee(self, name: str) -> Employee:
        return self.core.conn_to_employee_dict[name]

    def link(self, name: str) -> Link:
        return self.employee(name).link

    def above(self, message: Message, parts: Sequence[bytes] = ()) -> list[tuple[object, Message]]:
        """A message of the boss; returns what is sent."""
        self.core.handle_message(message, Direction.ABOVE, BOSS, parts)
        return self.sent()

    def below(self, name: str, message: Message, parts: Sequence[bytes] = ()) -> list[tuple[object, Message]]:
        """A message of an employee; returns what is sent."""
        self.core.handle_message(message, Direction.BELOW, name, parts)
        return self.sent()

    def sent(self) -> list[tuple[object, Message]]:
        return [(send.conn, send.message) for send in self.core.flush()]
