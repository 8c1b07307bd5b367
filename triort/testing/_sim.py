"""A simulated cluster as a test of a user sees it: clients, faults by name, virtual time, the truth to compare with."""

from __future__ import annotations

import math
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import trio

from triort._client.client import Client
from triort._model.errors import UsageError
from triort._node.worker import Worker
from triort.testing import _conditions
from triort.testing._events import Violation
from triort.testing._plan.plan import Fault, FaultKind
from triort.testing._sequential import run_sequentially
from triort.testing._tier2.cluster import Cluster
from triort.testing._tier2.faults import Faults
from triort.testing._tier2.process import SimProcess
from triort.testing._user_looks import Looks
from triort.testing._user_output import Output

DURATION_S = 1e-2
"""How long a sync function holds its CPU, in the mean, unless the test says otherwise."""

UNTIL_HEALED_S = 1e6
"""Later than any test ends."""


class Sim:
    """Given to each test made by `sim_test`.

    Nodes are called as in a plan: ``s`` is the server, ``m0``, ``m1``, … its managers, ``m0.w1``, ``m0.w2``, … the
    workers of one (a worker that replaces a dead one gets the next number), ``m0.m1`` a manager below a manager.
    """

    def __init__(self, cluster: Cluster, faults: Faults, output: Output, looks: Looks) -> None:
        self._cluster = cluster
        self._looks = looks
        self._output = output
        self._faults = faults
        self._num_clients = 0
        self._calls: Counter[str] = Counter()
        self.rng = random.Random(f"rng {cluster.plan.seed}")
        """Random numbers that are the same for the same seed."""
        self.seed = cluster.plan.seed
        self.reached: dict[str, bool] = {}
        """What `sometimes` was asked about, and whether it ever held."""

    # -- time and chance -----------------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual time in seconds; the cluster was up at 0. Does not block."""
        return self._cluster.now

    async def sleep(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        await trio.sleep(seconds)

    def uuid4(self) -> uuid.UUID:
        """A random UUID that is the same for the same seed."""
        return uuid.UUID(int=self.rng.getrandbits(128), version=4)

    # -- the cluster ---------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client of the simulated server, as `triort.open_client` gives one."""
        name = f"c{self._num_clients}"
        self._num_clients += 1
        async with self._cluster.open_client(name) as client:
            yield client

    @property
    def managers(self) -> list[str]:
        """The living managers, by name."""
        return sorted(name for name in self._cluster.node_processes if name != "s")

    @property
    def workers(self) -> list[str]:
        """The living workers, by name."""
        return sorted(self._cluster.processes)

    async def quiescent(self, within_s: float = 60.0) -> None:
        """Wait until nothing is on its way and nobody waits for anything, and check that all books are empty then.

        Fails the test if that takes longer, in virtual time.
        """
        if not await self._cluster.clock.wait_quiet(self.time() + within_s):
            self._fail("quiescent", f"there is still something going on after {within_s} s")
        for checker in self._cluster.trace.checkers:
            checker.at_rest()

    def oracle(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What ``fn(*args, **kwargs)`` gives when its tasks run one after the other, without a cluster; raises what it
        raises. Takes no virtual time. What the tasks print is not shown, and what they state is not checked."""
        with _conditions.set_aside(), self._output.muted():
            return run_sequentially(fn, *args, **kwargs)

    # -- faults --------------------------------------------------------------------------------------------------

    def crash(self, name: str) -> None:
        """The process of a worker, a manager (and all below it) or the server is gone, now."""
        kind = FaultKind.CRASH_WORKER if ".w" in name else FaultKind.CRASH_MANAGER
        self._inject(Fault(self.time(), kind, name))

    def close(self, name: str) -> None:
        """The link of a worker or manager to its boss is closed in order."""
        self._inject(Fault(self.time(), FaultKind.CLOSE, name))

    def cut(self, name: str, *, half_open: bool = False) -> None:
        """The link of a worker or manager to its boss breaks, and what is on its way is lost.

        Both sides learn of it; with ``half_open`` only the boss does.
        """
        kind = FaultKind.HALF_OPEN if half_open else FaultKind.CUT
        self._inject(Fault(self.time(), kind, name, side="boss" if half_open else ""))

    def clog(self, name: str, for_s: float | None = None) -> None:
        """Nothing gets through on the link of a node to its boss, for so long or until `heal`; then all does."""
        self._inject(Fault(self.time(), FaultKind.CLOG, name, for_s=for_s or 0.0))
        if for_s is None:
            wire = self._cluster.wires[name]
            wire.down.held_until_s = wire.up.held_until_s = UNTIL_HEALED_S

    def slow(self, name: str, factor: float, for_s: float | None = None) -> None:
        """All that a node does takes ``factor`` times as long, for so long or until `heal`."""
        self._inject(Fault(self.time(), FaultKind.SLOW_NODE, name, for_s=for_s or 0.0, factor=factor))

    def corrupt(self, name: str, towards: str = "boss") -> None:
        """The next frame on the link of a node, towards its ``boss`` or towards the ``employee``, cannot be read."""
        self._inject(Fault(self.time(), FaultKind.CORRUPT_FRAME, name, side=towards))

    def join_worker(self, name: str) -> None:
        """One more worker below this manager."""
        self._inject(Fault(self.time(), FaultKind.JOIN_WORKER, name))

    def join_manager(self, name: str = "s", workers: int = 1) -> None:
        """One more manager, with so many workers, below the server or a manager of managers."""
        self._inject(Fault(self.time(), FaultKind.JOIN_MANAGER, name, factor=float(workers)))

    def heal(self) -> None:
        """What is held up comes through, what is slow is fast again. What is dead or cut stays so."""
        self._faults.heal()

    def _inject(self, fault: Fault) -> None:
        if not 0 < fault.factor < math.inf or not 0 <= fault.for_s < math.inf:
            figures = f"for {fault.for_s!r} s, by {fault.factor!r}"
            raise UsageError(f"{fault.kind.value} takes a time from 0 and a factor above 0, not {figures}")
        if fault.side not in ("", "boss", "employee"):
            raise UsageError(f"{fault.kind.value} is towards 'boss' or 'employee', not {fault.side!r}")
        if not self._faults.happen(fault):
            known = ", ".join(["s", *self.managers, *self.workers])
            raise UsageError(f"{fault.kind.value} cannot hit {fault.target!r}; there are now: {known}")

    # -- what is stated ------------------------------------------------------------------------------------------

    def violate(self, violation: Violation) -> None:
        """A statement does not hold: the run ends."""
        self._cluster.violate(violation)

    def note(self, name: str, *, reached: bool) -> None:
        """A `sometimes` was reached."""
        self.reached[name] = self.reached.get(name, False) or reached

    def compute(self, seconds: float) -> None:
        """The sync task that calls this holds its CPU."""
        worker = Worker.current
        if worker is None or worker.on_cpu is None or worker.in_async_task():
            raise UsageError("compute() is for sync tasks; in an async one use: await trio.sleep(seconds)")
        assert isinstance(worker.process, SimProcess)
        self._looks.note_computing()
        worker.process.hold(seconds)

    def duration_s(self, call: Callable[..., Any], process: SimProcess) -> float:
        """How long a sync function takes: drawn by its name and by how often it was called."""
        name = getattr(call, "__qualname__", type(call).__qualname__)
        self._calls[name] += 1
        return self._cluster.draws.exponential(DURATION_S, "duration", name, self._calls[name])

    def _fail(self, check: str, text: str) -> NoReturn:
        raise Violation(check, text, self.time())
