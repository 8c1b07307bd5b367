"""Workers of tier 1: the real core, and a loop and a CPU that run scripts as `triort._node.worker` runs functions.

Mail that comes while a sync task holds the CPU waits for the boss's poke or the end of the step. An async task that
computes holds its slot alone: the loop goes on, and a cancel stops the task at once.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from triort._core.links import Link, Send
from triort._core.running import Running
from triort._core.watch import Glance
from triort._core.worker_core import Heard, Settled, Stop, WorkerCore
from triort._model.ids import Address, Digest, NodeId
from triort._model.limits import FLUSH_RESULTS_MAX, FLUSH_US
from triort._model.messages import Cancel, Print
from triort.testing._events import Kind
from triort.testing._tier1.activities import Activity, State
from triort.testing._tier1.alarms import Alarm
from triort.testing._tier1.futures import Future
from triort.testing._tier1.nodes import Node
from triort.testing._tier1.pipes import Frame, Pipe
from triort.testing._tier1.tasks import Tasks

if TYPE_CHECKING:
    from triort.testing._tier1.bosses import Boss
    from triort.testing._tier1.cluster import Cluster

EXIT_S = 1e-3
"""The end of a process is noticed after so much time at most."""
BAD_MOMENTS = 0.1
"""How often a poke comes when nothing may be done; and as often mail may be read, but the task not be interrupted."""


class Worker(Node):
    """One worker process."""

    reads_slowly = False

    pipe: Pipe
    core: WorkerCore

    def __init__(self, cluster: Cluster, name: str, node_id: NodeId, boss: Boss, *, is_extra: bool = False) -> None:
        super().__init__(cluster, name)
        self.is_extra = is_extra
        self.node_id = node_id
        self.boss = boss
        self.tasks = Tasks(self)
        self.ready: deque[Activity] = deque()
        self.on_cpu: Activity | None = None
        self.num_done = 0
        self.results = 0
        self.num_steps = 0
        self._over = self._queued = 0
        self._mail: Frame = []
        self._mail_read = 0
        self._pokes = 0
        self._flushed_at = 0.0
        self._lines: list[tuple[Running, str]] = []
        self._costs: dict[Digest, float] = {}
        self._alarm = Alarm(self.clock, self._wake_up)
        self._is_looping = False

    def join(self, pipe: Pipe) -> None:
        """It has a link to its boss."""
        self.pipe = pipe
        self.core = WorkerCore(self.node_id, Link(pipe, "boss", below=False))

    @property
    def ids(self) -> tuple[int, int]:
        """Its own id, as a range."""
        return self.node_id, self.node_id + 1

    @property
    def now(self) -> float:
        """Virtual time."""
        return self.cluster.heap.now

    # -- mail ----------------------------------------------------------------------------------------------------

    def on_mail(self, pipe: Pipe, frame: Frame) -> None:
        """Mail is in the socket; it is read when the loop comes to it."""
        self._mail += frame
        if self.on_cpu is None:
            self.loop()

    @property
    def num_unread(self) -> int:
        """Frames and messages that have come and are not yet read."""
        return super().num_unread + len(self._mail)

    def read(self) -> None:
        """Let the core process mail and time; what is to be done is in its events then."""
        core = self.core
        core.now = self.clock.now
        if self._mail:
            mail, self._mail = self._mail, []
            for message, parts in mail:
                if type(message) is Cancel:
                    self._tell_cancels(message)
                core.handle_message(message, parts)
            self._mail_read += len(mail)
        core.expire()
        for event in core.events:
            if isinstance(event, Settled):
                event.child.future.tell(event.child, event.result)

    def _tell_cancels(self, message: Cancel) -> None:
        for address in message.addresses:
            attempt = self.core.boss.received.get(address)
            if attempt is not None:
                name = (attempt.payload or b"").decode()
                self.tell(Kind.CANCELLED, name, number=address)

    def link_ended(self, pipe: Pipe, how: str) -> None:
        """The boss is gone, and with it everybody who could want a result; a sync task sees nothing of that."""
        self.pipe.ended = True
        if self.on_cpu is None:
            self.die("its link has ended")

    # -- the loop ------------------------------------------------------------------------------------------------

    def loop(self) -> None:
        """Go on until nothing is ready or a sync task holds the CPU."""
        if self._is_looping or self.dead:
            return
        self._is_looping = True
        try:
            self._loop()
        finally:
            self._is_looping = False

    def _loop(self) -> None:
        heap = self.cluster.heap
        while not self.dead and self.on_cpu is None:
            self.read()
            self.act()
            if self.core.shutting_down or self.pipe.ended:
                self.die("shutdown")
                return
            if not self._step():
                self.flush()
                self._alarm.set(self.core.next_deadline())
                return
            if self.results >= FLUSH_RESULTS_MAX or heap.now > self._flushed_at + FLUSH_US / 1e6:
                self.flush()

    def _step(self) -> bool:
        """Start or resume what is next; false when there is nothing."""
        core = self.core
        if self.ready:
            activity = self.ready.popleft()
            core.retake_slot(activity.running)
            self.tasks.resume(activity)
            return True
        if not core.backlog or core.occupied:
            return False
        core.now = self.clock.now
        running = core.next_task()
        if running is not None:
            cost = self._costs.get(running.attempt.spec.function)
            if self.results and (cost is None or cost > FLUSH_US / 1e6):
                self.flush()
            self.tasks.start(running)
        return True

    def act(self) -> None:
        """Carry out what the core has decided."""
        core = self.core
        while core.events:
            events, core.events = core.events, []
            for event in events:
                match event:
                    case Settled(child, result):
                        child.future.settle(child, result)
                    case Stop(running):
                        self.tasks.stop(running.handle)
                    case Heard(running):
                        self.tasks.hear(running.handle)

    def wake(self, activity: Activity, future: Future) -> None:
        """What it waited for is there."""
        if activity.state is State.WAITS and activity.future is future:
            self.make_ready(activity)

    def make_ready(self, activity: Activity) -> None:
        """It goes on as soon as the loop comes to it."""
        activity.state = State.READY
        activity.turn += 1
        self.ready.append(activity)

    def flush(self, keep: int | None = None) -> None:
        """Send what is to be sent; ``keep`` is how many tasks are not offered to the boss."""
        core = self.core
        core.now = self.clock.now
        core.offer((0 if core.occupied else 1) if keep is None else keep)
        idle = not (core.backlog or core.occupied or self.ready or core.events)
        sends: list[Send] = []
        if self._lines:
            lines, self._lines = self._lines, []
            sends += [Send(self.pipe, Print(running.attempt.spec.job, "stdout", text), ()) for running, text in lines]
        races = self.cluster.races
        if races and core.boss.out_results:
            self.cluster.note_leaving([result.address for result in core.boss.out_results])
        self.cluster.wires.send(sends + core.flush(idle))
        self.results = 0
        self._queued = core.backlog.num_waiting
        self._flushed_at = self.cluster.heap.now

    def notice(self) -> None:
        """A task here has changed the books: tell the boss what concerns it."""
        self.flush(keep=1)
        self._alarm.set(self.core.next_deadline())

    def say(self, activity: Activity, lines: int) -> None:
        """A task prints."""
        name = activity.task.name
        self._lines.append((activity.running, "".join(f"{name} {number}\n" for number in range(lines))))

    def finished(self, activity: Activity) -> None:
        """A task's function is over; the core has its result."""
        self.num_done += 1
        self.results += 1
        function, took = activity.running.attempt.spec.function, activity.seconds
        cost = self._costs.get(function)
        self._costs[function] = took if not cost else 0.8 * cost + 0.2 * took

    # -- time ----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """The clock has been changed."""
        self._alarm.set_again()
        self.tasks.tick()

    def _wake_up(self) -> None:
        """A child's deadline has passed; a poke sees to it if a sync task holds the CPU."""
        if self.on_cpu is None:
            self.loop()

    # -- the boss's watch ----------------------------------------------------------------------------------------

    def glance(self) -> Glance:
        """What the page shows."""
        activity = self.on_cpu
        if activity is None:
            return Glance(0, 0, self.num_steps, self._mail_read, 0.0, queued=self._queued, done=self.num_done)
        running = activity.running
        deadlines = [each.attempt.deadline for each in self.core.running.values() if each.attempt.deadline is not None]
        of_child = self.core.next_deadline()
        if of_child is not None:
            deadlines.append(of_child)
        return Glance(
            running.attempt.address, running.root, self.num_steps, self._mail_read, min(deadlines, default=0.0),
            int(bool(self.results or self._lines)), self._over, self._queued,
        )  # fmt: skip

    def poke(self) -> None:
        """The boss wants to be heard while a sync task holds the CPU."""
        activity = self.on_cpu
        if self.dead or activity is None or self._is_looping:
            return
        self._pokes += 1
        moment = self.cluster.draws.unit("poke", self.name, self._pokes)
        if moment < BAD_MOMENTS:
            return
        self.read()
        for event in self.core.events:
            if isinstance(event, Settled):
                event.child.future.note_failure(event.result)
        self.flush(keep=0)
        running, deadline = activity.running, activity.running.attempt.deadline
        if running.cancelled or (deadline is not None and deadline <= self.core.now):
            self._over = running.attempt.address
            if not activity.task.stubborn and moment >= 2 * BAD_MOMENTS:
                self.tasks.interrupt(activity)
                self.loop()

    # -- its end -------------------------------------------------------------------------------------------------

    def die(self, how: str, by: Activity | None = None) -> None:
        """The process is gone; ``by`` is the task on the CPU, where the worker does not know that itself."""
        if self.dead:
            return
        self.dead = True
        activity = by or self.on_cpu
        root = activity.running.root if activity is not None else Address(0)
        self._alarm.set(None)
        self.tasks.die(activity)
        self.cluster.forget(self)
        self.tell(Kind.DIED, number=root, detail=how)
        self.pipe.ended = True
        draws = self.cluster.draws
        delay_s = draws.uniform(0.0, EXIT_S, "exit", self.name, self.node_id)
        self.cluster.heap.at(delay_s, self.boss.worker_exited, self.pipe.far, self, root, how)
