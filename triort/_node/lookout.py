"""The boss's eye on its workers: their pages, what they have in memory, and whether those that are to end do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from triort._core.demand import idle_elsewhere
from triort._core.employee import Employee
from triort._core.suspects import Stage
from triort._core.watch import Action, Glance, Watch
from triort._model.ids import Address
from triort._model.limits import MEMORY_LOOK_S, POKE_S, SHUTDOWN_WORKERS_S
from triort._node.machine import Template, Words, WorkerProcess
from triort._node.page import DEADLINE_NS, DONE, MAIL_READ, ON_CPU, OVER, QUEUED, ROOT, STEPS, UNSENT
from triort._transport.connection import Connection

if TYPE_CHECKING:
    from triort._node.server_base import ServerBase
    from triort._node.worker_pool import WorkerPool


@attrs.define(eq=False)
class PoolWorker:
    """One living worker: the process, its link, and what the boss remembers of it."""

    process: WorkerProcess
    conn: Connection
    employee: Employee
    watch: Watch
    template: Template | None
    memory_bytes: int = 0
    """What it had in memory when it was killed for that."""
    dismissed_at: float | None = None


@attrs.define(eq=False)
class Lookout:
    """Looks at the workers of a pool while they are busy; `run` is a task of the node's nursery."""

    node: ServerBase
    pool: WorkerPool
    busy: trio.Event = attrs.Factory(trio.Event)
    _memory_look_at: float = 0.0

    async def run(self) -> None:
        """While workers have tasks, look at their pages every `POKE_S`; runs until cancelled."""
        while True:
            await self.busy.wait()
            await trio.sleep(POKE_S)
            self.node.sel.put_nowait(self.look)

    # -- in a step ---------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at all of them once, and do what is to be done."""
        node = self.node
        now, clock_s = node.now, node.machine.page_clock_s()
        busy = False
        for worker in list(self.pool.workers.values()):
            words = worker.process.page.words
            glance = _glance(words)
            is_busy = bool(worker.employee.link.sent) or glance.mail_read < worker.watch.mail_sent
            busy = busy or is_busy or worker.employee.is_extra
            running = worker.employee.link.sent.get(Address(glance.root)) if glance.on_cpu else None
            worker.employee.done = words[DONE]
            worker.employee.running = running.spec.function_name if running is not None else ""
            for action in worker.watch.decide(now, clock_s, glance, idle_elsewhere(node, worker.employee)):
                match action:
                    case Action.POKE:
                        worker.process.poke()
                    case Action.RECALL:
                        node.recall(worker.employee)
                    case Action.KILL:
                        node.logger.warning("worker %s ignores a cancel and is killed", worker.process.name)
                        worker.process.kill()
            if worker.employee.is_extra:
                self._see_off(worker)
            if is_busy and now >= self._memory_look_at:
                self._weigh(worker)
        if now >= self._memory_look_at:
            self._memory_look_at = now + MEMORY_LOOK_S
        if not busy and self.busy.is_set():  # an unset one may have a waiter already
            self.busy = trio.Event()

    def _weigh(self, worker: PoolWorker) -> None:
        """Kill a worker that has more in memory than it may."""
        memory = worker.employee.memory_bytes = worker.process.memory_bytes()
        if worker.watch.is_too_large(memory, self.pool.memory_limit or 0) and not worker.memory_bytes:
            worker.memory_bytes = memory
            text = "worker %s has %d MiB in memory, more than the %d that it may, and is killed"
            self.node.logger.warning(text, worker.process.name, memory >> 20, (self.pool.memory_limit or 0) >> 20)
            worker.process.kill()

    def _see_off(self, worker: PoolWorker) -> None:
        """A worker that has served its suspect has a while to end."""
        if self.node.suspects.extras.get(worker.employee) is Stage.DISMISSED:
            if worker.dismissed_at is None:
                worker.dismissed_at = self.node.now
            elif self.node.now > worker.dismissed_at + SHUTDOWN_WORKERS_S:
                worker.process.kill()


def _glance(words: Words) -> Glance:
    return Glance(
        on_cpu=words[ON_CPU],
        root=words[ROOT],
        steps=words[STEPS],
        mail_read=words[MAIL_READ],
        deadline_s=words[DEADLINE_NS] / 1e9,
        unsent=words[UNSENT],
        over=words[OVER],
        queued=words[QUEUED],
        done=words[DONE],
    )
