"""What a worker decides: which task starts next, what it offers to its boss, and when a task has really ended.

A worker is a node like the others (tables per link, the hop rule) and besides the owner of the children that its tasks
submit. Children wait in its own backlog; the boss hears of them only as far as it wants work (`Want`), so a tree
that keeps every worker busy costs no messages. What is offered is the shallowest, largest piece; one task is kept,
for the parent will soon wait and then it can run here without a round trip.

A task has ended when its function has returned *and* all its descendants have ended: children that are still open are
cancelled then, and only their last answer lets the outcome go.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

from triort._core.attempts import Attempt, Result
from triort._core.demand import is_news
from triort._core.hops import Hops
from triort._core.links import Link, Loss, Send
from triort._core.retries import after_loss, note_history
from triort._core.running import Child as Child
from triort._core.running import Heard as Heard
from triort._core.running import Running as Running
from triort._core.running import Settled as Settled
from triort._core.running import Stop as Stop
from triort._core.worker_handlers import FROM_BOSS
from triort._model.errors import ProtocolError
from triort._model.ids import Address, NodeId, make_address
from triort._model.limits import LARGE_OUTCOME_S, SMALL_OUTCOME_BYTES_MAX
from triort._model.marks import buggify, sometimes
from triort._model.messages import Message, TaskSpec, Update, Waiting
from triort._model.outcomes import OutcomeKind

DEADLINES_SPARE = 64


class WorkerCore:
    """The books of a worker. The node performs ``outbox`` (after `flush`) and ``events``."""

    def __init__(self, node_id: NodeId, boss: Link) -> None:
        self.node_id = node_id
        self.boss = boss
        self.now = 0.0
        self.hops = Hops(self)
        self.backlog = self.hops.backlog
        self.running: dict[Address, Running] = {}
        self.children: dict[Address, Child] = {}
        self.events: list[Settled | Stop | Heard] = []
        self.outbox: list[Send] = []
        self.occupied = 0
        self.want = 0
        """How many new tasks the boss still takes; see `Employee.wanted`."""
        self.shutting_down = False
        self._serial = 0
        self._told_tasks = 0
        self._announced = (-1, 0)
        self._large_until = 0.0
        """Until then an idle count may overtake a large outcome on its way, and is told in any case."""
        self._deadlines: list[tuple[float, Address]] = []

    # -- messages from the boss ----------------------------------------------------------------------------------

    def handle_message(self, message: Message, parts: Sequence[bytes]) -> None:
        """Process one message of the boss."""
        handler = FROM_BOSS.get(type(message))
        if handler is None:
            raise ProtocolError(f"a boss may not send {type(message).__name__} to a worker")
        handler(self, message, parts)

    # -- what tasks here do --------------------------------------------------------------------------------------

    def submit(
        self, parent: Running, spec: TaskSpec, payload: bytes, future: Any, index: int, deadline: float | None
    ) -> Child:
        """A running task submits a child."""
        self._serial += 1
        address = make_address(self.node_id, self._serial)
        attempt = Attempt(address, spec, payload, deadline=deadline, index=index, above=parent.root)
        child = Child(attempt, parent, future, index)
        self.children[address] = child
        parent.children[address] = child
        self._note_deadline(attempt)
        self._queue(child)
        return child

    def cancel_child(self, child: Child) -> None:
        """The parent wants this child no more; its outcome still has to come, unless it lies in `events` already."""
        if not child.cancelled and child.attempt.address in self.children:
            child.cancelled = True
            self.cancel_attempt(child.attempt)

    def talk_to_child(self, child: Child, payload: bytes) -> None:
        """A message to a child, started or not; one that has ended does not hear it."""
        if child.attempt.address in self.children:
            self.hear(child.attempt, payload)

    def release_slot(self, running: Running) -> None:
        """The task waits for a child: another one may start."""
        if running.holds_slot:
            running.holds_slot = False
            self.occupied -= 1

    def retake_slot(self, running: Running) -> None:
        """The task goes on."""
        if not running.holds_slot:
            running.holds_slot = True
            self.occupied += 1

    def returned(self, running: Running, kind: int, payload: bytes, duration_us: int) -> None:
        """The task's function has returned or raised; its outcome goes when the last open child has ended."""
        if running.cancelled and kind != OutcomeKind.TIMEOUT:
            kind, payload = OutcomeKind.CANCELLED, b""
        if len(payload) > SMALL_OUTCOME_BYTES_MAX:
            self._large_until = self.now + LARGE_OUTCOME_S
        running.result = Result(running.attempt.address, kind, duration_us, payload)
        self.release_slot(running)
        if not running.children:
            self._end(running)
            return
        for child in list(running.children.values()):
            self.cancel_child(child)

    def next_task(self) -> Running | None:
        """Start the next task, if the slot is free and there is one."""
        while not self.occupied:
            attempt = self.backlog.pop_deepest()
            if attempt is None:
                break
            if attempt.deadline is not None and attempt.deadline <= self.now:
                self.hops.pass_result(attempt, _timeout(attempt))
                continue
            child = self.children.get(attempt.address) if attempt.origin is None else None
            running = Running(attempt, attempt.address if child is None else child.parent.root)
            if attempt.talk:
                running.messages = list(attempt.talk)
            self.running[attempt.address] = running
            self.occupied += 1
            return running
        return None

    def next_deadline(self) -> float | None:
        """When `expire` has something to do."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][1] not in self.children:
            heapq.heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def expire(self) -> None:
        """Time has passed: children beyond their deadline are stopped."""
        while self._deadlines and self._deadlines[0][0] <= self.now:
            child = self.children.get(heapq.heappop(self._deadlines)[1])
            if child is not None and not child.cancelled:
                sometimes("the deadline of an open child has passed")
                child.timed_out = True
                self.cancel_child(child)

    # -- the owner's side of the hop rule ------------------------------------------------------------------------

    def settle(self, attempt: Attempt, result: Result) -> None:
        """A child has ended."""
        child = self.children.pop(attempt.address)
        options = attempt.spec.options
        if result.kind == OutcomeKind.ERROR and not child.cancelled and child.retries < options.retries:
            child.retries += 1
            sometimes("a child that raised is run again")
            self._again(child)
            return
        self._settled(child, result)

    def settle_values(self, attempts: list[Attempt], results: list[Result]) -> None:
        """Children have ended with values."""
        for attempt, result in zip(attempts, results, strict=True):
            self.settle(attempt, result)

    def lose(self, attempt: Attempt, loss: Loss) -> None:
        """A child is lost: again, or the end."""
        child = self.children.pop(attempt.address)
        child.crashes += loss.blamed
        result = after_loss(attempt, loss, child.crashes, child.cancelled)
        if result is None:
            self._again(child, loss)
        else:
            self._settled(child, result)

    # -- the end of a batch of events ----------------------------------------------------------------------------

    def offer(self, keep: int) -> None:
        """Give the boss new tasks as far as it wants them, the shallowest first; ``keep`` tasks stay."""
        if keep and buggify("a worker keeps nothing for itself"):
            keep = 0
        while self.want > 0 and (attempt := self.backlog.pop_aside()) is not None:
            self.want -= 1
            self.boss.place(attempt)
        while self.want > 0 and len(self.backlog) > keep:
            attempt = self.backlog.pop_shallowest_new()
            if attempt is None:
                break
            self.want -= 1
            self.boss.place(attempt)

    def flush(self, idle: bool) -> list[Send]:
        """Pack what is to be sent; ``idle`` tells that nothing here can go on or start."""
        if self.boss.is_touched:
            self.boss.touched.clear()
            self.hops.flush(self.boss, self.outbox, self.now)
        if idle and self._announced != (1, self.boss.batch_read):
            self._announced = (1, self.boss.batch_read)
            if self.boss.received or self.now < self._large_until:  # else the last outcome tells it
                self.outbox.append(Send(self.boss.conn, Waiting(1, self.boss.batch_read), ()))
        if self.outbox or idle:
            tasks = len(self.children) - len(self.boss.sent)
            if is_news(abs(tasks - self._told_tasks), self._told_tasks, exact=idle):
                self.outbox.append(Send(self.boss.conn, Update(tasks - self._told_tasks, 0), ()))
                self._told_tasks = tasks
        outbox, self.outbox = self.outbox, []
        return outbox

    # -- inside --------------------------------------------------------------------------------------------------

    def cancel_attempt(self, attempt: Attempt) -> None:
        todo = [attempt]  # no recursion: a chain of tasks may be longer than the stack, which may be a user's
        stops: list[Stop] = []
        while todo:
            each = todo.pop()
            running = self.running.get(each.address) if each.target is None else None
            if running is None:
                self.hops.cancel(each)
            elif not running.cancelled:
                running.cancelled = each.cancelled = True
                for child in list(running.children.values()):
                    if not child.cancelled:
                        child.cancelled = True
                        todo.append(child.attempt)
                if running.result is None:
                    stops.append(Stop(running))
        self.events.extend(reversed(stops))

    def hear(self, attempt: Attempt, payload: bytes) -> None:
        """A message to a task. What is said to a task is kept while it is open, to be said again when it is placed
        again: that is what makes a second attempt, or one handed back unstarted, hear the same."""
        attempt.keep_talk(payload)
        if attempt.target is not None:
            attempt.target.say(attempt, payload)
            return
        running = self.running.get(attempt.address)
        if running is not None:
            running.messages.append(payload)
            self.events.append(Heard(running))

    def _note_deadline(self, attempt: Attempt) -> None:
        if attempt.deadline is not None:
            if len(self._deadlines) > 2 * len(self.children) + DEADLINES_SPARE:
                self._deadlines = [each for each in self._deadlines if each[1] in self.children]
                heapq.heapify(self._deadlines)
            heapq.heappush(self._deadlines, (attempt.deadline, attempt.address))

    def _again(self, child: Child, loss: Loss | None = None) -> None:
        attempt = child.attempt
        self._serial += 1
        address = make_address(self.node_id, self._serial)
        fresh = Attempt(address, attempt.spec, attempt.payload, deadline=attempt.deadline, index=attempt.index)
        fresh.talk, fresh.above = attempt.talk, attempt.above
        note_history(fresh, attempt, loss, child.crashes)
        del child.parent.children[attempt.address]
        child.attempt = fresh
        child.parent.children[address] = child
        self.children[address] = child
        self._note_deadline(fresh)
        self._queue(child)

    def _queue(self, child: Child) -> None:
        """A suspect goes to the boss at once, who has a worker for it alone; what a suspect here has submitted is to
        leave as soon as the boss wants it, so that who is to blame for the next death is known."""
        attempt = child.attempt
        if attempt.alone:
            self.boss.place(attempt)
        elif child.parent.attempt.alone:
            self.backlog.set_aside(attempt)
        else:
            self.backlog.add(attempt)

    def _settled(self, child: Child, result: Result) -> None:
        if child.timed_out and result.kind == OutcomeKind.CANCELLED:
            result = _timeout(child.attempt)
        parent = child.parent
        del parent.children[child.attempt.address]
        self.events.append(Settled(child, result))
        if parent.result is not None and not parent.children:
            self._end(parent)

    def _end(self, running: Running) -> None:
        del self.running[running.attempt.address]
        assert running.result is not None
        self.hops.pass_result(running.attempt, running.result)


def _timeout(attempt: Attempt) -> Result:
    return Result(attempt.address, OutcomeKind.TIMEOUT, 0, str(attempt.spec.options.timeout_s).encode())
