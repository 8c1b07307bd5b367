"""Sequences of valid messages from an authenticated peer of each role, at random: what a bad member can do to a node.

Whatever comes, a core raises nothing but `ProtocolError`, after which the link has ended; what the peer's place does
not allow is refused; and the work of an honest client on an honest manager (or worker) goes through to its end.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests._core.makers import BOSS, FN, JOB, Node, blobs, make_spec, submit
from tests.security.at_client import AtClient
from tests.security.messages import BAD_ID, KINDS, Maker
from tests.security.scene import BAD, Scene, Wrong, over_the_wire
from triort._core.employee import Employee
from triort._core.links import Link, Send
from triort._core.node_core import Direction, NodeCore
from triort._core.server_core import ServerCore
from triort._core.worker_core import WorkerCore
from triort._model import messages as m
from triort._model.errors import ProtocolError
from triort._model.ids import NodeId
from triort._model.roles import MAY_SEND, Place

STEPS_MAX = 25
FORBIDDEN_SHARE = 0.02
MORE_TASKS = 6


class AtServer(Scene):
    """A server with an honest client, whose task an honest manager has when the bad peer comes."""

    def __init__(self, draw: random.Random, place: Place) -> None:
        core = ServerCore(choose=lambda name, n: draw.randrange(n))
        super().__init__(draw, place, core, Maker(draw))
        core.name, core.running = "server", True
        core.add_employee(Employee(Link("good", "good"), "good", "manager", 1, 900, 1, 4))
        core.add_client("honest", 77)
        core.handle_message(
            m.SubmitJob(1, make_spec(), 1, True, [4, 1], True), Direction.CLIENT, "honest", [b"code", b"a"]
        )
        (task,) = [send.message for send in core.flush() if isinstance(send.message, m.Submit)]
        self.task = task.addresses[0]
        if place is Place.CLIENT:
            core.add_client(BAD, draw.choice((0, 5)))
        else:
            core.add_employee(Employee(Link(BAD, BAD), BAD, "manager", BAD_ID, 1_000, 1, 4))
        core.add_client("other", 78)
        sizes = [4] + [1] * MORE_TASKS
        parts = [b"code", *[b"x"] * MORE_TASKS]
        core.handle_message(m.SubmitJob(1, make_spec(retries=1), 1, True, sizes), Direction.CLIENT, "other", parts)
        self.flush()
        self.maker.addresses.append(self.task)
        self.maker.jobs.append(task.specs[0].job)

    def check_honest(self) -> None:
        self.core.handle_message(m.Outcomes(1, [self.task], [0], [10], [1]), Direction.BELOW, "good", [b"v"])
        told = [(type(s.message), list(s.parts)) for s in self.flush() if s.conn == "honest"]
        if (m.JobOutcomes, [b"v"]) not in told or (m.JobEnded, []) not in told:
            raise Wrong(f"the honest client was told {told}")


class AtManager(Scene):
    """A manager whose boss is bad, or one of its workers."""

    def __init__(self, draw: random.Random, place: Place) -> None:
        node = Node(1, boss=place is Place.WORKER)
        core: NodeCore = node.core
        super().__init__(draw, place, core, Maker(draw))
        core.running = True
        if place is Place.BOSS:
            core.set_boss(BAD, BAD, 0, 2**30)
            return
        node.above(*blobs())
        node.above(*submit((9 << 33) + 1))
        core.add_employee(Employee(Link(BAD, BAD), BAD, "worker", BAD_ID, BAD_ID + 1, 1, 1))
        more, parts = submit(*[(9 << 33) + 2 + number for number in range(MORE_TASKS)], batch=2)
        core.handle_message(more, Direction.ABOVE, BOSS, parts)
        self.flush()

    def check_honest(self) -> None:
        if self.place is Place.WORKER:
            address = submit((9 << 33) + 1)[0].addresses
            self.core.handle_message(m.Outcomes(1, address, [0], [10], [1]), Direction.BELOW, "w0", [b"v"])
            told = [list(s.parts) for s in self.flush() if s.conn == BOSS and isinstance(s.message, m.Outcomes)]
            if [b"v"] not in told:
                raise Wrong(f"the boss was told {told}")


class AtWorker(Scene):
    """A worker whose boss is bad."""

    def __init__(self, draw: random.Random, place: Place) -> None:
        core = WorkerCore(NodeId(7), Link(BAD, BAD, below=False))
        super().__init__(draw, place, core, Maker(draw))
        self.runs: list[Any] = []

    def hostile(self, message: m.Message, parts: Sequence[bytes]) -> None:
        self.core.handle_message(message, parts)

    def end(self, reason: str) -> None:
        self.is_over = True  # a worker ends with its boss

    def flush(self) -> list[Send]:
        core = self.core
        core.expire()
        while (task := core.next_task()) is not None:
            self.runs.append(task)
            if self.draw.random() < 0.5:
                core.submit(task, make_spec(1), b"child", object(), 0, None)
            core.release_slot(task)
        if self.runs and self.draw.random() < 0.5:
            core.returned(self.runs.pop(0), 0, b"v", 10)
        core.events.clear()
        sends: list[Send] = core.flush(self.draw.random() < 0.5)
        for send in sends:
            over_the_wire((send.message, list(send.parts)))
            self.maker.hear(send.message)
        return sends


SCENES: dict[str, tuple[type[Any], Place, Place]] = {
    "client of a server": (AtServer, Place.CLIENT, Place.CLIENT),
    "manager below a server": (AtServer, Place.MANAGER, Place.MANAGER),
    "boss of a manager": (AtManager, Place.BOSS, Place.BOSS),
    "worker below a manager": (AtManager, Place.WORKER, Place.WORKER),
    "boss of a worker": (AtWorker, Place.BOSS, Place.BOSS),
    "server of a client": (AtClient, Place.SERVER, Place.SERVER),
}


def play(name: str, seed: int, counts: Counter[str]) -> str:
    """One sequence; what is wrong with it, or nothing."""
    draw = random.Random(f"{name} {seed}")
    make, place, _ = SCENES[name]
    scene = make(draw, place)
    said: list[str] = []
    try:
        for _ in range(draw.randint(1, STEPS_MAX)):
            if scene.is_over:
                break
            step(scene, draw, place, counts, said)
        scene.check_honest()
    except Exception as exc:
        return f"{name}, seed {seed}: {type(exc).__name__}: {exc} after {said[-6:]}"
    finally:
        scene.close()
    return ""


def step(scene: Scene, draw: random.Random, place: Place, counts: Counter[str], said: list[str]) -> None:
    """The bad peer sends one message."""
    allowed = draw.random() >= FORBIDDEN_SHARE
    kinds = sorted(MAY_SEND[place], key=lambda kind: kind.__name__) if allowed else KINDS
    message, parts = over_the_wire(scene.maker.make(draw.choice(kinds)))
    said.append(repr(message)[:300])
    scene.core.now += draw.choice((0.0, 0.001, 1.0))
    try:
        scene.hostile(message, parts)
    except ProtocolError:
        counts["refused"] += 1
        scene.end("ProtocolError")
        scene.is_over = True
    else:
        counts["taken"] += 1
        if type(message) not in MAY_SEND[place]:
            raise Wrong(f"{type(message).__name__} was taken from a {place.value}")
    scene.flush()


def run_sequences(number: int, seed: int) -> tuple[dict[str, Any], list[str]]:
    """So many sequences of each kind of peer; the figures, and what is wrong."""
    start, counts, wrong = time.perf_counter(), Counter[str](), list[str]()
    for name in SCENES:
        for each in range(number):
            fault = play(name, seed * 1_000_000_007 + each, counts)
            if fault:
                wrong.append(fault)
    seconds = round(time.perf_counter() - start, 1)
    return {
        "sequences of each of": len(SCENES),
        "number": number,
        "seconds": seconds,
        **counts,
        "faults": len(wrong),
    }, wrong


__all__ = ["FN", "JOB", "run_sequences"]
