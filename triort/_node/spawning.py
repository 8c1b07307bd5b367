"""The boss's side of its template: ask for workers, hear of their ends.

One task reads the control socket, one writes what did not fit at once. The order that others may rely on: a worker's
exit is delivered only after the `spawn` that made it has returned, although the worker may have ended long before its
`Spawned` was read; so exits wait in their `SpawnRequest` until then. A `spawn` that is cancelled leaves a request
behind that is *abandoned*: its worker is killed as soon as it is known, and its exit is dropped.

A fork of the boss's own process (multiprocessing, say) holds copies of these fds. It hides nothing: the template
watches the boss by a pidfd, and the end of a worker is told by the template, never by the EOF of a link.
"""

import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import assert_never

import msgspec
import trio

from triort._model.errors import ConnectionLost, StartupError, UsageError
from triort._model.limits import CONTROL_BYTES_MAX, START_S
from triort._node.assignment import (
    WORKER_ENTRY,
    Exited,
    Failed,
    Kill,
    Ready,
    Report,
    Spawn,
    Spawned,
    WorkerAssignment,
    receive_packet,
)
from triort._node.spawned import Packet, SpawnedWorker, SpawnRequest, WorkerExit, open_ends
from triort._node.template_process import TemplateProcess, watch_process
from triort._node.template_start import EarlyTemplate, begin_process

__all__ = ["SpawnedWorker", "Template", "WorkerExit", "open_template"]


class Template:
    """A running template process; made by `open_template`."""

    def __init__(self, name: str, process: TemplateProcess, control: socket.socket) -> None:
        self.name = name
        self.pid = process.pid
        self.nursery: trio.Nursery | None = None
        self.ready = False
        """Whether it has imported all that workers need."""
        self._process = process
        self._control = control
        self._ended: str | None = None
        self._requests: dict[int, SpawnRequest] = {}
        self._workers: dict[int, SpawnedWorker] = {}
        self._outbox: deque[Packet] = deque()  # bounded by one packet per request and kill of a known worker
        self._outbox_filled = trio.Event()
        self._exits_in, self._exits = trio.open_memory_channel[WorkerExit](float("inf"))  # one per worker

    # -- for the node

    async def spawn(
        self,
        node_id: int,
        *,
        name: str = "",
        sys_path: Sequence[str] | None = None,
        cwd: str = "",
        cpus: Sequence[int] | None = None,
        log_level: int = 30,
        entry: str = WORKER_ENTRY,
    ) -> SpawnedWorker:
        """Fork a worker; may be called at once, before the template is ready, and by several tasks.

        Waits until the process exists (not until its entry has run), `START_S` at most. A cancel stops the wait and
        kills the worker if one was made. ``sys_path`` is this process's by default; ``cwd`` likewise, from when the
        template was started. The entry is ``"module:function"``, called with a `WorkerAssignment`. Raises
        `StartupError` if there is no such worker in the end, `UsageError` if ``node_id`` is taken."""
        path = list(sys.path if sys_path is None else sys_path)
        assignment = WorkerAssignment(node_id, name, path, cwd, None if cpus is None else list(cpus), log_level)
        data = msgspec.msgpack.encode(Spawn(assignment, entry))
        if len(data) > CONTROL_BYTES_MAX:
            raise UsageError(f"what worker {node_id} is to be told takes {len(data)} bytes: shorten its sys_path")
        if node_id in self._requests or node_id in self._workers:
            raise UsageError(f"there is a worker with the id {node_id} already: close it, or use a fresh id")
        try:
            ends = open_ends()
        except OSError as error:
            raise StartupError(f"there can be no link to worker {node_id}: {error}") from error
        try:
            request = await self._make(node_id, Packet(data, ends.theirs, SpawnRequest()))
        except BaseException:
            ends.close()
            raise
        # No checkpoint from here on: whoever receives the exit shall find the worker known.
        ends.drop_theirs()
        worker = SpawnedWorker(node_id, name, request.pid, request.pidfd, ends, self._workers)
        self._workers[node_id] = worker
        if self.nursery is not None:
            self.nursery.start_soon(ends.errors.run)
        if request.exit is not None:
            self._exits_in.send_nowait(request.exit)
        return worker

    async def receive_exit(self) -> WorkerExit:
        """Wait for the next end of a worker and return it; by then its whole process group has been killed.

        A cancel loses no exit. Raises `ConnectionLost` when the template has ended by itself: then its workers have
        been killed too, and no exits are told.
        """
        try:
            return await self._exits.receive()
        except trio.EndOfChannel:
            raise ConnectionLost(self._ended) from None

    def kill_nowait(self, node_id: int) -> None:
        """SIGKILL the process group of a worker; nothing happens if it has ended."""
        self._post(Packet(msgspec.msgpack.encode(Kill(node_id))))

    # -- requests

    async def _make(self, node_id: int, packet: Packet) -> SpawnRequest:
        request = packet.request
        assert request is not None
        if self._ended is not None:
            raise StartupError(self._ended)
        self._requests[node_id] = request
        self._post(packet)
        try:
            with trio.move_on_after(START_S):
                await request.answered.wait()
            if request.error is not None:
                raise StartupError(request.error)
            if request.pid == 0:
                raise StartupError(f"{self._title} has not started worker {node_id} within {START_S} s")
        except BaseException:
            # Race: Spawned may have been read after the cancel and before this line; discard() sees to that.
            request.discard()
            if packet in self._outbox:
                self._outbox.remove(packet)
                request.over = True
            if request.over:
                self._requests.pop(node_id, None)
            raise
        del self._requests[node_id]
        return request

    def _post(self, packet: Packet) -> None:
        if self._ended is None:
            self._outbox.append(packet)
            if len(self._outbox) == 1:
                self._flush()

    def _flush(self) -> None:
        """Send what the socket takes at once, and wake the writer for the rest."""
        while self._outbox:
            packet = self._outbox[0]
            try:
                socket.send_fds(self._control, [packet.data], packet.fds)
            except BlockingIOError:
                self._outbox_filled.set()
                return
            except (BrokenPipeError, ConnectionResetError):
                return  # the reader is about to see it too
            except OSError as error:  # too many fds on their way, and the like: this packet's fault
                if packet.request is None:
                    raise
                packet.request.fail(f"{self._title} could not be asked for a worker: {error}")
            self._outbox.popleft()

    async def write(self) -> None:  # the writer task: sends when there is room again
        while True:
            await self._outbox_filled.wait()
            self._outbox_filled = trio.Event()
            await trio.lowlevel.wait_writable(self._control)
            self._flush()

    # -- reports

    async def read(self) -> None:
        """The reader task: ends when the template does."""
        decoder = msgspec.msgpack.Decoder(Report)
        while True:
            try:
                data, fds = receive_packet(self._control, fds_max=1)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._control)
                continue
            except ConnectionResetError:
                continue  # told once, when the template ends with unread mail; what it has said can still be read
            if not data:
                break
            self._handle(decoder.decode(data), fds)
        await self._process.wait_end()
        when = "" if self.ready else " before it was ready (its stderr tells why)"
        how = self._process.describe_end()
        self.fail(f"{self._title} (pid {self.pid}) {how}{when}, and all its workers with it")

    def _handle(self, report: Report, fds: list[int]) -> None:
        match report:
            case Ready():
                self.ready = True
            case Spawned(node_id=node_id, pid=pid):
                self._on_spawned(node_id, pid, fds)
            case Failed(node_id=node_id, text=text):
                self._requests[node_id].fail(f"{self._title} could not fork worker {node_id}: {text}")
                self._forget_abandoned(node_id)
            case Exited(node_id=node_id):
                self._on_exited(WorkerExit(*msgspec.structs.astuple(report)))
            case _:
                assert_never(report)

    def _on_spawned(self, node_id: int, pid: int, fds: list[int]) -> None:
        request = self._requests[node_id]
        request.pid = pid
        if fds:
            request.pidfd = fds[0]
        else:
            request.error = f"there is no room for the pidfd of worker {node_id}: too many files are open"
            request.abandoned = True
            self.kill_nowait(node_id)
        if request.abandoned:
            request.discard()
        request.answered.set()

    def _on_exited(self, ended: WorkerExit) -> None:
        request = self._requests.get(ended.node_id)
        if request is None:
            self._exits_in.send_nowait(ended)
            return
        request.exit = ended
        request.over = True
        self._forget_abandoned(ended.node_id)

    def _forget_abandoned(self, node_id: int) -> None:
        if self._requests[node_id].abandoned:
            del self._requests[node_id]

    # -- the end

    @property
    def _title(self) -> str:
        return f"the template of {self.name}" if self.name else "the template"

    def fail(self, reason: str) -> None:
        """From now on everything raises, with the first ``reason`` given."""
        if self._ended is None:
            self._ended = reason
            self._outbox.clear()
            self._exits_in.close()
            for request in self._requests.values():
                request.fail(reason)
            self._requests.clear()

    async def close(self) -> None:
        """End the template and all workers; close all fds. Not cancellable; takes `SHUTDOWN_S` twice at most."""
        self.fail(f"{self._title} has been closed")
        self._control.close()
        with trio.CancelScope(shield=True):
            await self._process.wait_end()
        self._process.close()
        for worker in list(self._workers.values()):
            worker.close()


@asynccontextmanager
async def open_template(
    *, blas_threads: int | None = 1, name: str = "", early: EarlyTemplate | None = None
) -> AsyncIterator[Template]:
    """Start the process that forks this node's workers; it starts beside the caller, who need not wait for it. If
    there is an ``early`` one that nobody has taken, it is that one.

    Numeric libraries in the workers use ``blas_threads`` threads (None: as many as they like) unless the environment
    says otherwise. ``name`` is the node's. Leaving the context kills all workers that are left and what they have
    started, and waits for the template's end, also when cancelled (`SHUTDOWN_S` twice at most).

    Raises `StartupError` if the process cannot be started.
    """
    begun = None if early is None else early.take()
    template = Template(name, *watch_process(begun or begin_process(blas_threads)))
    error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            template.nursery = nursery
            nursery.start_soon(template.read)
            nursery.start_soon(template.write)
            try:
                yield template
            except BaseException as raised:  # raised again below, so that the nursery does not wrap it in a group
                error = raised
            nursery.cancel_scope.cancel()
    finally:
        await template.close()
    if error is not None:
        raise error
