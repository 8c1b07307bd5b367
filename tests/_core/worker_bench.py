"""A worker's core on the bench: what its boss says, what its tasks do, and what it sends."""

from typing import Any

from tests._core.makers import blobs, make_spec, submit
from triort._core.links import Link
from triort._core.running import Child, Running, Settled
from triort._core.worker_core import WorkerCore
from triort._model.ids import Address, NodeId, make_address
from triort._model.messages import (
    Message,
    Outcomes,
    TaskSpec,
)
from triort._model.outcomes import OutcomeKind

VALUE, ERROR, CANCELLED, TIMEOUT, CRASHED = (int(kind) for kind in OutcomeKind)
CHILD = make_spec(depth=1)


class Bench:
    """A worker with id 5, whose boss has sent the job's function."""

    def __init__(self) -> None:
        self.core = WorkerCore(NodeId(5), Link("boss", "boss", below=False))
        self.core.handle_message(*blobs())

    def boss(self, message: Message, parts: Any = ()) -> None:
        self.core.handle_message(message, parts)

    def run(self, address: int, **more: Any) -> Running:
        """The boss gives a task, and it starts."""
        self.boss(*submit(address, batch=address, **more))
        return self.start(address)

    def start(self, address: int) -> Running:
        running = self.core.next_task()
        assert running is not None
        assert running.attempt.address == address
        return running

    def child(self, parent: Running, index: int = 0, spec: TaskSpec = CHILD, deadline: float | None = None) -> Child:
        return self.core.submit(parent, spec, b"args", None, index, deadline)

    def end(self, running: Running, kind: int = VALUE) -> None:
        self.core.returned(running, kind, b"v" if kind == VALUE else b"", 7)

    def sent(self, *, idle: bool = False) -> list[Message]:
        return [send.message for send in self.core.flush(idle)]

    def settled(self) -> list[tuple[int, int]]:
        """Index and kind of the children that have ended since the last call."""
        events, self.core.events = self.core.events, []
        return [(e.child.index, e.result.kind) for e in events if isinstance(e, Settled)]

    def is_empty(self) -> bool:
        core = self.core
        link = core.boss
        return not (core.running or core.children or core.backlog or link.received or link.sent or link.cancelling)


def own(serial: int) -> Address:
    return make_address(NodeId(5), serial)


def out(*addresses: int, batch: int = 1, kind: int = VALUE, duration_us: int = 7) -> Outcomes:
    size = 1 if kind == VALUE else 0
    columns = [Address(address) for address in addresses]
    count = len(columns)
    return Outcomes(batch, columns, [kind] * count, [duration_us] * count, [size] * count)
