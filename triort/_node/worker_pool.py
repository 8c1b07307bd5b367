"""The workers of one node: watched by their pages; those started through its template are replaced when they die.

Everything that touches the node's books is put into its inbox; this module waits, starts and signals.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

import attrs
import msgspec
import trio

from triort._core.links import Link, Loss
from triort._core.placement import Employee
from triort._core.watch import Action, Glance, Watch
from triort._model.errors import ConnectionLost, ProtocolError, StartupError
from triort._model.ids import Address
from triort._model.limits import POKE_S, RESTART_DELAY_S, RESTART_WINDOW_S, RESTARTS_MAX, START_S
from triort._model.marks import buggify, sometimes
from triort._model.messages import Started
from triort._model.outcomes import Crash
from triort._node.machine import Template, WorkerProcess
from triort._node.page import DEADLINE_NS, DONE, MAIL_READ, ON_CPU, OVER, ROOT, STEPS, UNSENT
from triort._node.spawned import WorkerExit
from triort._transport.connection import Connection

if TYPE_CHECKING:
    from triort._node.server_base import ServerBase

_encode = msgspec.msgpack.Encoder().encode


@attrs.define(eq=False)
class PoolWorker:
    """One living worker: the process, its link, and what the boss remembers of it."""

    process: WorkerProcess
    conn: Connection
    employee: Employee
    watch: Watch


@attrs.define(eq=False)
class WorkerPool:
    """Made by `ServerBase.open_pool`; `watch` is a task of the node's nursery, and `run` if workers are spawned."""

    node: ServerBase
    blas_threads: int | None = 1
    cpus: list[int] | None = None
    workers: dict[int, PoolWorker] = attrs.Factory(dict)
    _template: Template | None = None
    _serial: int = 0
    _early_exits: dict[int, WorkerExit] = attrs.Factory(dict)
    _given_up: set[int] = attrs.Factory(set)
    """Workers that have not started, until their exits have come."""
    _restarts: deque[float] = attrs.Factory(deque)
    _busy: trio.Event = attrs.Factory(trio.Event)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the template and learn of the ends of workers, until cancelled."""
        async with self.node.machine.open_template(blas_threads=self.blas_threads, name=self.node.name) as template:
            self._template = template
            task_status.started()
            try:
                while True:
                    self.report_exit(await template.receive_exit())
            except ConnectionLost as exc:
                self.node.sel.put_nowait(self.node.fail, f"{self.node.name}: {exc}")
                await trio.sleep_forever()

    async def start(self, num_workers: int) -> None:
        """Start so many workers, side by side, and wait until each is ready; raises `StartupError`."""
        async with trio.open_nursery() as nursery:
            for _ in range(num_workers):
                nursery.start_soon(self.start_one)

    async def start_one(self) -> None:
        """Start a worker with a fresh id and wait until it is ready, `START_S` at most."""
        assert self._template is not None
        node_id, name = self.next_identity()
        cpus = None if self.cpus is None else [self.cpus[(self._serial - 1) % len(self.cpus)]]
        process = await self._template.spawn(node_id, name=name, cpus=cpus, cwd=os.getcwd())
        conn = process.open_link()
        try:
            await self.adopt(process, conn)
        except BaseException:
            process.kill()
            conn.close()
            self.node.sel.put_nowait(self._give_up, process)
            raise

    @property
    def has_template(self) -> bool:
        """Whether workers can be started here."""
        return self._template is not None

    def next_identity(self) -> tuple[int, str]:
        """Id and name for the next worker; raises `StartupError` when all ids are used up."""
        self._serial += 1
        node_id = self.node.lower_id_bound + self._serial
        if node_id >= self.node.upper_id_bound:
            raise StartupError(f"{self.node.name} has used up its worker ids")
        return node_id, f"{self.node.name}.w{self._serial}"

    def _has_ids(self) -> bool:
        return self.node.lower_id_bound + self._serial + 1 < self.node.upper_id_bound

    async def adopt(self, process: WorkerProcess, conn: Connection) -> None:
        """Wait until a worker is ready, `START_S` at most, and enter it into the books; raises `StartupError`."""
        name = process.name
        try:
            with trio.fail_after(START_S):
                received = await conn.receive()
        except (trio.EndOfChannel, trio.BrokenResourceError, trio.TooSlowError, ProtocolError) as exc:
            raise StartupError(f"worker {name} (pid {process.pid}) did not start: {type(exc).__name__} {exc}") from None
        started = received[0][0]
        if not isinstance(started, Started):
            raise StartupError(f"worker {name} (pid {process.pid}) said {type(started).__name__} instead of STARTED")
        link = Link(conn, name)
        employee = Employee(link, name, "worker", process.node_id, process.node_id + 1, process.pid, 1)
        self.node.sel.put_nowait(self._on_started, PoolWorker(process, conn, employee, Watch(link)))
        self.node.serve_employee(conn, received[1:])

    def report_exit(self, ended: WorkerExit) -> None:
        """A worker has ended."""
        self.node.sel.put_nowait(self._on_exit, ended)

    def kill_by_conn(self, conn: object) -> None:
        """The link of a worker has ended: so does the worker, whatever it is doing."""
        worker = self._by_conn(conn)
        if worker is not None:
            worker.process.kill()

    def note_sent(self, conn: object, num_messages: int) -> None:
        """So many messages have been sent to a worker."""
        worker = self._by_conn(conn)
        if worker is not None:
            worker.watch.mail_sent += num_messages
            self._busy.set()

    async def watch(self) -> None:
        """While workers have tasks, look at their pages every `POKE_S`; runs until cancelled."""
        while True:
            await self._busy.wait()
            await trio.sleep(POKE_S)
            self.node.sel.put_nowait(self._look)

    async def stop(self, within_s: float) -> None:
        """Wait for the end of all workers, who have been told, so long at most; the template kills the others."""
        with trio.move_on_after(within_s):
            for worker in self.workers.values():
                await worker.process.wait_ended()

    # -- in the scheduler task -----------------------------------------------------------------------------------

    def _on_started(self, worker: PoolWorker) -> None:
        self.workers[worker.process.node_id] = worker
        self.node.add_employee(worker.employee)
        ended = self._early_exits.pop(worker.process.node_id, None)
        if ended is not None:
            self._on_exit(ended)

    def _give_up(self, process: WorkerProcess) -> None:
        """The worker has not started, and nobody waits for it any more."""
        process.close()
        if self._early_exits.pop(process.node_id, None) is None:
            self._given_up.add(process.node_id)

    def _on_exit(self, ended: WorkerExit) -> None:
        if ended.node_id in self._given_up:
            self._given_up.remove(ended.node_id)
            return
        worker = self.workers.pop(ended.node_id, None)
        if worker is None:  # it ended just after it had started, and its start is still in the inbox; or it never did
            sometimes("a worker ends before its start is in the books")
            self._early_exits[ended.node_id] = ended
            return
        words = worker.process.page.words
        address, root = int(words[ON_CPU]), Address(int(words[ROOT]))
        crash = Crash(worker.process.name, ended.pid, ended.signal, ended.exit_code, ended.memory_bytes)
        blame = Loss(root, True, _encode(crash)) if address else None
        worker.conn.close()
        worker.process.close()
        if ended.signal is None and ended.exit_code is None:
            how = "why, who has started it knows"
        else:
            how = f"signal {ended.signal}" if ended.signal is not None else f"exit code {ended.exit_code}"
        self.node.logger.warning("worker %s (pid %d) has ended: %s", worker.process.name, ended.pid, how)
        self.node.handle_disconnect(worker.conn, blame)
        if self.node.running and worker.process.replaced_here:
            self._replace()

    def _replace(self) -> None:
        now = self.node.now
        self._restarts.append(now)
        self.node.restarts += 1
        while self._restarts and self._restarts[0] < now - RESTART_WINDOW_S:
            self._restarts.popleft()
        is_slow = len(self._restarts) > RESTARTS_MAX
        if is_slow:
            self.node.handle_system_error(
                f"{len(self._restarts)} workers lost within {RESTART_WINDOW_S} s; slowing down"
            )
        self.node.start_soon(
            self._start_replacement, RESTART_DELAY_S if is_slow or buggify("slow replacements") else 0.0
        )

    async def _start_replacement(self, delay_s: float) -> None:
        await trio.sleep(delay_s)
        if not self._has_ids():
            self.node.sel.put_nowait(self.node.fail, f"{self.node.name} has used up its worker ids")
            return
        try:
            await self.start_one()
        except StartupError as exc:  # it has died on its way, which must not cost the node more than another try
            sometimes("a replacement does not start")
            self.node.logger.warning("%s: %s", self.node.name, exc)
            self.node.sel.put_nowait(self._replace)

    def _look(self) -> None:
        node = self.node
        now, clock_s = node.now, node.machine.page_clock_s()
        busy = False
        for worker in list(self.workers.values()):
            words = worker.process.page.words
            deadline_s = words[DEADLINE_NS] / 1e9
            flags = words[UNSENT], words[OVER]
            glance = Glance(words[ON_CPU], words[ROOT], words[STEPS], words[MAIL_READ], deadline_s, *flags)
            busy = busy or bool(worker.employee.link.sent) or glance.mail_read < worker.watch.mail_sent
            running = worker.employee.link.sent.get(Address(glance.root)) if glance.on_cpu else None
            worker.employee.done = words[DONE]
            worker.employee.running = running.spec.function_name if running is not None else ""
            elsewhere = node.num_idle_workers - worker.employee.num_idle_workers + node.want_credit
            for action in worker.watch.decide(now, clock_s, glance, elsewhere):
                match action:
                    case Action.POKE:
                        worker.process.poke()
                    case Action.RECALL:
                        node.recall(worker.employee)
                    case Action.KILL:
                        node.logger.warning("worker %s ignores a cancel and is killed", worker.process.name)
                        worker.process.kill()
        if not busy and self._busy.is_set():  # an unset one may have a waiter already
            self._busy = trio.Event()

    def _by_conn(self, conn: object) -> PoolWorker | None:
        employee = self.node.conn_to_employee_dict.get(conn)
        return None if employee is None else self.workers.get(employee.lower_id)
