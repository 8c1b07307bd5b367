"""A worker of the model cluster: the real core, and a CPU that runs scripts as `triort._node.worker` runs functions.

Mail that comes while a script holds the CPU waits for the next poke or the end of the step, as it does in the node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from tests._core.scripts import CANCELLED, CAUGHT, ERROR, VALUE, Batch, Compute, Listen, Script
from tests._core.sim_future import SimFuture
from triort._core.links import Link
from triort._core.watch import Glance
from triort._core.worker_core import Heard, Running, Settled, Stop, WorkerCore
from triort._model.ids import Address, Digest, NodeId
from triort._model.limits import FLUSH_RESULTS_MAX, FLUSH_US
from triort._model.messages import Cancel, Message, Options, TaskSpec

if TYPE_CHECKING:
    from tests._core.cluster import Cluster, Pipe, SimManager

LISTEN_S = 2e-4


class Failed(Exception):
    """What a script raises."""


class Interrupted(Exception):
    """The task on the CPU has been cancelled."""


Steps = Generator[float | SimFuture, None, int]


class SimWorker:
    """One worker process."""

    def __init__(self, cluster: Cluster, node_id: NodeId, pipe: Pipe, boss: SimManager) -> None:
        self.cluster = cluster
        self.boss = boss
        self.pipe = pipe
        self.core = WorkerCore(node_id, Link(pipe, "boss", below=False))
        self.mail: list[tuple[Message, Sequence[bytes]]] = []
        self.resumable: deque[Running] = deque()
        self.steps: dict[Running, Steps] = {}
        self.began: dict[Running, float] = {}
        self.on_cpu: Running | None = None
        self.dead = False
        self.mail_sent = 0
        self.worked_at = 0.0
        self.waits: set[Running] = set()
        self._mail_read = 0
        self._num_steps = 0
        self._results = 0
        self._flushed_at = 0.0
        self._turn = 0
        self._cancels: set[Address] = set()
        self._costs: dict[Digest, float] = {}
        cluster.at(0.0, self.loop)

    @property
    def idle(self) -> bool:
        core = self.core
        return not (self._holds_cpu() or self.mail or self.resumable or core.backlog or core.occupied)

    def _holds_cpu(self) -> bool:
        return self.on_cpu is not None

    def glance(self) -> Glance:
        running = self.on_cpu
        address, root = (running.attempt.address, running.root) if running else (0, 0)
        return Glance(address, root, self._num_steps, self._mail_read, 0.0)

    def on_mail(self, pipe: Pipe, frame: list[tuple[Message, Sequence[bytes]]]) -> None:
        self.mail += frame
        if self.on_cpu is None:
            self.loop()

    def poke(self) -> None:
        """The boss wants to be heard while a script is on the CPU."""
        if self.dead or self.on_cpu is None:
            return
        self._read()
        self.flush(keep=0)
        if self.on_cpu.cancelled:
            self._off_cpu(self._turn)
        else:
            self.act()

    def die(self) -> Address | None:
        self.dead = True
        for running in self.steps:
            self.cluster.monitor.ended(self.script(running))
        return None if self.on_cpu is None else self.on_cpu.root

    def script(self, running: Running) -> Script:
        return self.cluster.scripts[int(running.attempt.payload or b"")]

    # -- the loop ------------------------------------------------------------------------------------------------

    def loop(self) -> None:
        while not self.dead and self.on_cpu is None:
            self._read()
            self.act()
            if not self.step():
                self.flush()
                break
            if self._results >= FLUSH_RESULTS_MAX or self.cluster.now > self._flushed_at + FLUSH_US / 1e6:
                self.flush()

    def step(self) -> bool:
        """Start or resume what is next; false when there is nothing."""
        if self.resumable:
            running = self.resumable.popleft()
            self.core.retake_slot(running)
        else:
            self.core.now = self.cluster.now
            started = self.core.next_task()
            if started is None:
                return False
            running = started
            self._start(running)
        self._resume(running)
        return True

    def act(self) -> None:
        core = self.core
        while core.events:
            events, core.events = core.events, []
            for event in events:
                match event:
                    case Settled(child, result):
                        child.future.settle(child, result)
                    case Stop(running):
                        if running in self.waits:
                            self.wake(running)
                    case Heard():
                        pass

    def wake(self, running: Running) -> None:
        if running in self.waits:
            self.waits.remove(running)
            self.resumable.append(running)

    def flush(self, keep: int | None = None) -> None:
        core = self.core
        core.now = self.cluster.now
        core.offer((0 if core.occupied else 1) if keep is None else keep)
        idle = not (core.backlog or core.occupied or self.resumable or core.events)
        self.cluster.send(core.flush(idle))
        self._results = 0
        self._flushed_at = self.cluster.now

    def _read(self) -> None:
        core = self.core
        core.now = self.cluster.now
        mail, self.mail = self.mail, []
        for message, parts in mail:
            if isinstance(message, Cancel):
                self._cancels.update(message.addresses)
            core.handle_message(message, parts)
        self._mail_read += len(mail)
        core.expire()

    # -- scripts -------------------------------------------------------------------------------------------------

    def _start(self, running: Running) -> None:
        assert running.attempt.address not in self._cancels, "it starts after its cancel was read"
        cost = self._costs.get(running.attempt.spec.function)
        if self._results and (cost is None or cost > FLUSH_US / 1e6):
            self.flush()
        script = self.script(running)
        self.cluster.monitor.started(script)
        self.steps[running] = self._run(running, script)
        self.began[running] = 0.0

    def _resume(self, running: Running) -> None:
        """Let the script go on until it holds the CPU for a while, waits, or ends."""
        self.worked_at = self.cluster.now
        steps = self.steps[running]
        kind, value = VALUE, 0
        self._num_steps += 1
        try:
            action = steps.throw(Interrupted()) if running.cancelled else next(steps)
        except StopIteration as stop:
            value = stop.value
        except Failed:
            kind = ERROR
        except Interrupted:
            kind = CANCELLED
        else:
            if isinstance(action, SimFuture):
                self.core.release_slot(running)
                self.waits.add(running)
                action.waited = True
            else:
                self.on_cpu = running
                self.began[running] += action
                self._turn += 1
                self.cluster.at(action, self._off_cpu, self._turn)
            return
        self._finish(running, kind, value)

    def _finish(self, running: Running, kind: int, value: int) -> None:
        self.cluster.monitor.ended(self.script(running))
        del self.steps[running]
        seconds = self.began.pop(running)
        self._costs.setdefault(running.attempt.spec.function, seconds)
        self._results += 1
        payload = str(value).encode() if kind == VALUE else b""
        self.core.returned(running, kind, payload, max(int(seconds * 1e6), 1))

    def _off_cpu(self, turn: int) -> None:
        if self.dead or turn != self._turn or self.on_cpu is None:
            return
        self._turn += 1
        running, self.on_cpu = self.on_cpu, None
        self._resume(running)
        self.loop()

    def _run(self, running: Running, script: Script) -> Steps:
        total, heard = script.number, 0
        for step in script.steps:
            match step:
                case Compute():
                    yield step.seconds
                case Listen():
                    heard = 0
                    while heard < step.messages:
                        yield LISTEN_S
                        self._read()
                        heard += len(running.messages)
                        running.messages = []
                case Batch():
                    total += yield from self._batch(running, step)
        if script.fails:
            raise Failed
        return total

    def _batch(self, running: Running, step: Batch) -> Generator[float | SimFuture, None, int]:
        future = SimFuture(self, running, scripts=step.children)
        above = running.attempt.spec
        for index, child in enumerate(step.children):
            spec = TaskSpec(above.job, Digest(child.function), "f", above.depth + 1, Options(crash_limit=10**6))
            payload = str(child.number).encode()
            self.core.hops.blobs.setdefault(above.job, {}).setdefault(spec.function, b"code")
            future.open[index] = self.core.submit(running, spec, payload, future, index, None)
        self.flush(keep=1)
        for number in range(step.talk):
            for open_child in future.open.values():
                self.core.talk_to_child(open_child, b"%d" % number)
            self.flush(keep=1)
        if step.cancel:
            yield step.cancel_after_s
            future.cancelled = True
            future.cancel_open()
            self.flush(keep=1)
        if not step.wait:
            return 0
        while future.open:
            yield future
        if future.failed or future.cancelled:
            if step.catch:
                return CAUGHT
            raise Failed
        return future.total
