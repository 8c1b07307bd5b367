"""The workers of one node: watched by their pages; those started through its template are replaced when they die.

Everything that touches the node's books is put into its inbox; this module waits, starts and signals. Who is to blame
for a worker's end, and what is told of it, is in `deaths`.

When the template itself has died, all its workers are dead, too, by no fault of their tasks; another template is
started, and then others in their places.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import trio

from triort._core.directions import Direction
from triort._core.employee import Employee
from triort._core.links import Link, Loss
from triort._core.restarts import Restarts
from triort._core.suspects import Stage
from triort._core.watch import Watch
from triort._model.errors import ConnectionLost, ProtocolError, StartupError
from triort._model.limits import RESTART_DELAY_S, START_S
from triort._model.marks import buggify, sometimes
from triort._model.messages import Started
from triort._node.deaths import blame_for, describe_end
from triort._node.lookout import Lookout, PoolWorker
from triort._node.machine import Template, WorkerProcess
from triort._node.memory import default_limit
from triort._node.spawned import WorkerExit
from triort._transport.connection import Connection

if TYPE_CHECKING:
    from triort._node.server_base import ServerBase


@attrs.define(eq=False)
class WorkerPool:
    """Made by `ServerBase.open_pool`; `lookout.run` is a task of the node's nursery, and `run` if it spawns workers."""

    node: ServerBase
    blas_threads: int | None = 1
    cpus: list[int] | None = None
    memory_limit: int | None = None
    """How many bytes a worker may have in memory; 0: no limit; None: its share of the machine's."""
    tasks_per_worker: int | None = None
    """After how many tasks a worker that was spawned here is replaced; None: never."""
    cwd: str = attrs.Factory(os.getcwd)
    """Where all workers start, also when it is gone later."""
    workers: dict[int, PoolWorker] = attrs.Factory(dict)
    has_template: bool = False
    """Whether workers can be started here."""
    _template: Template | None = None
    _template_is_there: trio.Event = attrs.Factory(trio.Event)
    _serial: int = 0
    _early_exits: dict[int, WorkerExit] = attrs.Factory(dict)
    _given_up: set[int] = attrs.Factory(set)
    """Workers that have not started, until their exits have come."""
    _restarts: Restarts = attrs.Factory(Restarts)
    lookout: Lookout = attrs.Factory(lambda pool: Lookout(pool.node, pool), takes_self=True)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a template and learn of the ends of workers, until cancelled."""
        while True:
            async with self.node.machine.open_template(blas_threads=self.blas_threads, name=self.node.name) as template:
                self._template = template
                self._template_is_there.set()
                if not self.has_template:
                    self.has_template = True
                    self.node.suspects.isolate(can_start=True)
                    task_status.started()
                try:
                    while True:
                        self.report_exit(await template.receive_exit())
                except ConnectionLost as exc:
                    self._template, self._template_is_there = None, trio.Event()
                    noticed = trio.Event()
                    self.node.sel.put_nowait(self._on_template_lost, template, str(exc), noticed)
                    await noticed.wait()  # the pages are unmapped when this context ends
            await trio.sleep(RESTART_DELAY_S)

    async def start(self, num_workers: int) -> None:
        """Start so many workers, side by side, and wait until each is ready; raises `StartupError`."""
        self.share_memory(num_workers)
        async with trio.open_nursery() as nursery:
            for _ in range(num_workers):
                nursery.start_soon(self.start_one)

    def share_memory(self, num_workers: int) -> None:
        """There are to be so many workers."""
        if self.memory_limit is None:
            self.memory_limit = default_limit(num_workers)

    async def start_one(self, *, is_extra: bool = False) -> None:
        """Start a worker with a fresh id and wait until it is ready, `START_S` at most once there is a template."""
        await self._template_is_there.wait()
        template = self._template
        assert template is not None
        node_id, name = self.next_identity("x" if is_extra else "w")
        cpus = self.cpus
        if cpus is not None and not is_extra:
            cpus = [cpus[(self._serial - 1) % len(cpus)]]
        process = await template.spawn(node_id, name=name, cpus=cpus, cwd=self.cwd)
        conn = process.open_link(self.node.machine.store)
        try:
            await self.adopt(process, conn, template, is_extra=is_extra)
        except BaseException:
            process.kill()
            conn.close()
            self.node.sel.put_nowait(self._give_up, process)
            raise

    def next_identity(self, letter: str = "w") -> tuple[int, str]:
        """Id and name for the next worker; raises `StartupError` when all ids are used up."""
        self._serial += 1
        node_id = self.node.lower_id_bound + self._serial
        if node_id >= self.node.ids.workers_upper:
            raise StartupError(f"{self.node.name} has used up its worker ids")
        self.node.num_named[letter] += 1
        return node_id, f"{self.node.name}.{letter}{self.node.num_named[letter]}"

    def _has_ids(self) -> bool:
        return self.node.lower_id_bound + self._serial + 1 < self.node.ids.workers_upper

    async def adopt(
        self, process: WorkerProcess, conn: Connection, template: Template | None = None, *, is_extra: bool = False
    ) -> None:
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
        employee = Employee(link, name, "worker", process.node_id, process.node_id + 1, process.pid, int(not is_extra))
        employee.is_extra = is_extra
        employee.tasks_left = None if is_extra or template is None else self.tasks_per_worker
        worker = PoolWorker(process, conn, employee, Watch(link), template)
        self.node.sel.put_nowait(self._on_started, worker)
        self.node.serve(conn, Direction.BELOW, received[1:])

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
            self.lookout.busy.set()

    async def stop(self, within_s: float) -> None:
        """Wait for the end of all workers, who have been told, so long at most; the template kills the others."""
        with trio.move_on_after(within_s):
            for worker in self.workers.values():
                with suppress(trio.ClosedResourceError):  # it was killed by who watches it
                    await worker.process.wait_ended()

    # -- in a step ---------------------------------------------------------------------------------------------

    def start_wanted(self) -> None:
        """Start the workers that the books want: some for suspects alone, some in the places of spent ones."""
        if self.node.suspects.wanted:
            for _ in range(self.node.suspects.take_wanted()):
                self.node.start_soon(self._start_extra)
        if self.node.drains.successors and self.node.running:
            for _ in range(self.node.drains.take_successors()):
                self.node.start_soon(self._start_replacement, 0.0)

    async def _start_extra(self) -> None:
        if not self._has_ids():
            self.node.sel.put_nowait(self._stop_extras)
            return
        try:
            await self.start_one(is_extra=True)
        except StartupError as exc:
            self.node.logger.warning("%s: %s", self.node.name, exc)
            await trio.sleep(RESTART_DELAY_S)
            self.node.sel.put_nowait(self.node.suspects.not_started)

    def _stop_extras(self) -> None:
        self.node.suspects.not_started()
        self.node.suspects.isolate(can_start=False)

    def _on_started(self, worker: PoolWorker) -> None:
        self.workers[worker.process.node_id] = worker
        self.node.add_employee(worker.employee)
        ended = self._early_exits.pop(worker.process.node_id, None)
        if ended is not None:
            self._on_exit(ended)
        elif worker.template is not self._template and worker.template is not None:  # it has died with its template
            self._bury(worker, None, "its template has ended")

    def _give_up(self, process: WorkerProcess) -> None:
        """The worker has not started, and nobody waits for it any more."""
        process.close()
        if self._early_exits.pop(process.node_id, None) is None:
            self._given_up.add(process.node_id)

    def _on_template_lost(self, template: Template, reason: str, noticed: trio.Event) -> None:
        self.node.logger.error("%s: %s", self.node.name, reason)
        self.node.handle_system_error(reason)
        self._given_up.clear()
        for worker in [each for each in self.workers.values() if each.template is template]:
            self._bury(worker, None, "its template has ended")
        noticed.set()

    def _on_exit(self, ended: WorkerExit) -> None:
        if ended.node_id in self._given_up:
            self._given_up.remove(ended.node_id)
            return
        worker = self.workers.get(ended.node_id)
        if worker is None:  # it ended just after it had started, and its start is still in the inbox; or it never did
            sometimes("a worker ends before its start is in the books")
            self._early_exits[ended.node_id] = ended
            return
        self._bury(
            worker,
            blame_for(worker.process, ended, worker.memory_bytes, alone=self.node.suspects.has_alone(worker.employee)),
            describe_end(ended),
        )

    def _bury(self, worker: PoolWorker, blame: Loss | None, how: str) -> None:
        del self.workers[worker.process.node_id]
        employee = worker.employee
        is_dismissed = employee.draining or self.node.suspects.extras.get(employee) is Stage.DISMISSED
        worker.conn.close()
        worker.process.close()
        say = self.node.logger.debug if is_dismissed else self.node.logger.warning
        say("worker %s (pid %d) has ended: %s", worker.process.name, worker.process.pid, how)
        self.node.handle_disconnect(worker.conn, blame)
        if self.node.running and worker.process.replaced_here and not (employee.is_extra or employee.draining):
            self._replace()

    def _replace(self) -> None:
        self.node.restarts += 1
        delay_s = self._restarts.note(self.node.now)
        news = self._restarts.news(self.node.now)
        if news:
            self.node.logger.warning("%s: %s", self.node.name, news)
            self.node.handle_system_error(news)
        self.node.start_soon(self._start_replacement, RESTART_DELAY_S if buggify("slow replacements") else delay_s)

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

    def _by_conn(self, conn: object) -> PoolWorker | None:
        employee = self.node.conn_to_employee_dict.get(conn)
        return None if employee is None else self.workers.get(employee.lower_id)
