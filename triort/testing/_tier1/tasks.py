"""The tasks that have started on one worker: what each does with the CPU or its slot, and what stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triort._core.running import Running
from triort._model.ids import Address
from triort._model.limits import GRACE_LOOK_S, GRACE_S
from triort._model.outcomes import OutcomeKind
from triort.testing._events import Kind, Violation
from triort.testing._tier1.activities import Activity, State
from triort.testing._tier1.alarms import Alarm
from triort.testing._tier1.futures import KINDS
from triort.testing._tier1.scripts import Failed, Hear, Hold, Stopped, run_script

if TYPE_CHECKING:
    from triort.testing._tier1.workers import Worker

LISTEN_FIRST_S = 2e-4
LISTEN_GROWTH = 1.5
LISTEN_MAX_S = 5e-3


class Tasks:
    """Started tasks by address."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.open: dict[Address, Activity] = {}

    def start(self, running: Running) -> None:
        """Call the task's function."""
        worker = self.worker
        cluster, attempt = worker.cluster, running.attempt
        name = (attempt.payload or b"").decode()
        task = cluster.tasks[name]
        self._check_blobs(running, name)
        activity = Activity(running, task, cluster.tries.begin(task))
        activity.script = run_script(worker, activity, task)
        running.handle = activity
        self.open[attempt.address] = activity
        if cluster.races and attempt.origin is not None:
            cluster.jobs_of[attempt.address] = name.partition(".")[0]
        self._tell(Kind.START, activity)
        if attempt.deadline is not None and task.is_async and not task.stubborn:
            activity.alarm = Alarm(worker.clock, self._expire, activity)
            activity.alarm.set(attempt.deadline)
        self.resume(activity)

    def _tell(self, kind: Kind, activity: Activity, detail: str = "") -> None:
        if activity.task.name:  # a visitor's has none
            self.worker.tell(kind, activity.task.name, number=activity.running.attempt.address, detail=detail)

    def _check_blobs(self, running: Running, name: str) -> None:
        spec = running.attempt.spec
        blobs = self.worker.core.hops.blobs.get(spec.job, {})
        if not all(digest in blobs for digest in (spec.function, *spec.blobs)):
            raise Violation("blobs_there", f"{name} starts on {self.worker.name} without its blobs", self.worker.now)

    def resume(self, activity: Activity) -> None:
        """Let the script go on until it holds something, waits, or ends."""
        activity.turn += 1
        if activity.task.is_async or activity.state is State.READY:
            self.worker.num_steps += 1
        kind, value = OutcomeKind.VALUE, 0
        try:
            if (activity.stop or activity.running.cancelled) and not activity.task.stubborn:
                action = activity.script.throw(Stopped())
            else:
                action = next(activity.script)
        except StopIteration as stop:
            value = stop.value
        except Failed:
            kind = OutcomeKind.ERROR
        except Stopped:
            kind = OutcomeKind.TIMEOUT if activity.timed_out else OutcomeKind.CANCELLED
        else:
            if not self.worker.dead:
                self._wait(activity, action)
            return
        if not self.worker.dead:
            self._finish(activity, kind, value)

    def _wait(self, activity: Activity, action: object) -> None:
        if isinstance(action, Hold):
            self._hold(activity, action.seconds)
        elif isinstance(action, Hear):
            self._listen(activity, action.messages)
        else:
            activity.state = State.WAITS
            activity.future = action  # type: ignore[assignment]
            self.worker.core.release_slot(activity.running)

    def _finish(self, activity: Activity, kind: OutcomeKind, value: int) -> None:
        worker, running = self.worker, activity.running
        activity.take_messages(worker.now)
        del self.open[running.attempt.address]
        running.handle = None
        if activity.alarm is not None:
            activity.alarm.set(None)
        self._tell(Kind.END, activity, KINDS[kind])
        payload = b"%d" % value if kind is OutcomeKind.VALUE else b""
        worker.finished(activity)
        worker.core.returned(running, kind, payload, max(int(activity.seconds * 1e6), 1))

    # -- holding the CPU or the slot -----------------------------------------------------------------------------

    def _hold(self, activity: Activity, seconds: float) -> None:
        seconds *= self.worker.factor
        activity.state = State.HOLDS
        activity.seconds += seconds
        if not activity.task.is_async:
            self.worker.on_cpu = activity
        activity.timer = self.worker.cluster.heap.at(seconds, self._held, activity)

    def _held(self, activity: Activity) -> None:
        worker = self.worker
        activity.timer = 0
        if worker.on_cpu is activity:
            worker.on_cpu = None
        if worker.on_cpu is None:
            self.resume(activity)
            worker.loop()
        else:
            worker.make_ready(activity)

    def _listen(self, activity: Activity, messages: int) -> None:
        activity.take_messages(self.worker.now)
        activity.wants = messages
        activity.state = State.LISTENS
        if activity.has_heard:
            self.worker.make_ready(activity)
        elif not activity.task.is_async:
            self.worker.on_cpu = activity
            activity.listen_s = LISTEN_FIRST_S
            self._listen_on(activity)

    def _listen_on(self, activity: Activity) -> None:
        activity.seconds += activity.listen_s
        self.worker.cluster.heap.look_after(activity.listen_s, self._heed, activity, activity.turn)
        activity.listen_s = min(activity.listen_s * LISTEN_GROWTH, LISTEN_MAX_S)

    def _heed(self, activity: Activity, turn: int) -> None:
        """A sync task looks for messages."""
        worker = self.worker
        if worker.dead or turn != activity.turn:
            return
        worker.read()
        activity.take_messages(worker.now)
        if activity.has_heard or (activity.running.cancelled and not activity.task.stubborn):
            worker.on_cpu = None
            self.resume(activity)
            worker.loop()
        else:
            self._listen_on(activity)

    def hear(self, activity: Activity | None) -> None:
        """A message has come for a task."""
        if activity is not None and activity.state is State.LISTENS and activity.task.is_async:
            activity.take_messages(self.worker.now)
            if activity.has_heard:
                self.worker.make_ready(activity)

    # -- stops ---------------------------------------------------------------------------------------------------

    def stop(self, activity: Activity | None) -> None:
        """A task is cancelled, as the loop learns now. Sync code on the CPU is left to a poke."""
        if activity is None:
            return
        if activity.task.is_async:
            if activity.task.stubborn:
                self._watch_stop(activity, 0.0)
            else:
                self._stop_async(activity)
        elif activity.state is State.WAITS and not activity.task.stubborn:
            self.worker.make_ready(activity)

    def _stop_async(self, activity: Activity) -> None:
        """It ends at once, or (waiting for children) when these have ended."""
        activity.stop = True
        if activity.state is State.WAITS and activity.future is not None and activity.future.open:
            activity.future.cancel_open()
        elif activity.state is not State.READY:
            self._drop_timer(activity)
            self.worker.make_ready(activity)

    def _drop_timer(self, activity: Activity) -> None:
        if activity.timer:
            self.worker.cluster.heap.cancel(activity.timer)
            activity.timer = 0

    def _watch_stop(self, activity: Activity, held_s: float) -> None:
        """A cancelled async task has the grace time to end, without its waits for children; then the process goes."""
        worker = self.worker
        if worker.dead or activity.running.result is not None:
            return
        if held_s >= GRACE_S:
            worker.die("it is stuck: a task ignores its cancel", by=activity)
            return
        held_s += GRACE_LOOK_S if activity.running.holds_slot else 0.0
        worker.cluster.heap.look_after(GRACE_LOOK_S, self._watch_stop, activity, held_s)

    def interrupt(self, activity: Activity) -> None:
        """A poke interrupts the sync task on the CPU."""
        activity.stop = True
        activity.timed_out = not activity.running.cancelled
        self.worker.on_cpu = None
        self._drop_timer(activity)
        self.resume(activity)

    def _expire(self, activity: Activity) -> None:
        """The deadline of an async task has passed."""
        if not (activity.stop or activity.running.cancelled):
            activity.timed_out = True
            self._stop_async(activity)
            self.worker.loop()

    def tick(self) -> None:
        """The clock has been changed."""
        for activity in self.open.values():
            if activity.alarm is not None:
                activity.alarm.set_again()

    def die(self, on_cpu: Activity | None) -> None:
        """The process is gone, and all functions with it."""
        for activity in self.open.values():
            self._drop_timer(activity)
            if activity.alarm is not None:
                activity.alarm.set(None)
            self._tell(Kind.END, activity, "crashed" if activity is on_cpu else "killed")
        self.open.clear()
