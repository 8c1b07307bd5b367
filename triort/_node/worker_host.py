"""What ``triort-worker`` does: it starts workers for a manager of this host that waits for them.

It finds the manager by its port, pins it by a pidfd, and forks workers, who connect by themselves (`self_connecting`).
It replaces those that die, and ends with the manager: at once if that is killed, else when all workers are dismissed.

A manager that has lost its boss kills its workers, having taken its Unix socket away, and waits for others at a new one
(`Rendezvous.turn_out`). So when a worker has ended and the socket is gone, the port is asked again: another path means
that all workers are to start anew, however many there are; no answer, that the manager ends.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import attrs
import trio

from triort._model.errors import ProtocolError, StartupError
from triort._model.limits import (
    DIAL_S,
    DIAL_WAIT_FIRST_S,
    HANDSHAKE_S,
    RENDEZVOUS_LINE_BYTES_MAX,
    RESTART_WINDOW_S,
    RESTARTS_MAX,
    SHUTDOWN_WORKERS_S,
    TEXT_CHARS_MAX,
)
from triort._node.checks import check_num_workers, check_port, single_error
from triort._node.peers import pin_peer
from triort._node.rendezvous import DOOR, FOLDER_PREFIX
from triort._node.self_connecting import ENTRY
from triort._node.spawned import SpawnedWorker
from triort._node.spawning import Template, open_template
from triort._transport.tcp import dial_socket

HOST = "127.0.0.1"


@attrs.define(eq=False)
class WorkerHost:
    """Starts ``num_workers`` workers for the manager whose ``worker_port`` is ``port``.

    ``cpus`` pins them, one CPU each in turn; ``blas_threads`` is how many threads numeric libraries may use in each.
    ``on_started`` is called when the manager has been found and the workers are on their way.
    """

    num_workers: int = attrs.field(converter=check_num_workers)
    port: int = attrs.field(converter=check_port)
    cpus: Sequence[int] | None = None
    blas_threads: int | None = 1
    on_started: Callable[[], None] = lambda: None
    logger: logging.Logger = attrs.Factory(lambda: logging.getLogger("triort.worker"))
    _path: str = ""
    _serial: int = 0
    _workers: dict[int, tuple[SpawnedWorker, str]] = attrs.Factory(dict)
    _is_over: bool = False
    _has_ended: trio.Event = attrs.Factory(trio.Event)
    _restarts: deque[float] = attrs.Factory(deque)

    async def run(self) -> None:
        """Serve until the manager ends; a cancel ends the workers at once.

        Raises `StartupError` when no manager is there or it refuses the workers.
        """
        with single_error():
            async with open_template(blas_threads=self.blas_threads, name="triort-worker") as template:
                manager = await self._find_manager()
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._watch_manager, manager, nursery.cancel_scope)
                        for _ in range(self.num_workers):
                            await self._start_one(template)
                        self.on_started()
                        while self._workers:
                            await self._next_exit(template)
                        nursery.cancel_scope.cancel()
                finally:
                    os.close(manager)

    async def _find_manager(self) -> int:
        """Ask at the port where the manager lets workers in; returns a pidfd of it."""
        path = self._path = await self._ask_path()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.setblocking(False)
            try:
                door.connect(path)
                return pin_peer(door)[1]
            except (OSError, ProtocolError) as exc:
                raise StartupError(f"the manager at {HOST}:{self.port} cannot be reached at {path}: {exc}") from None

    async def _ask_path(self) -> str:
        sock = await dial_socket(HOST, self.port, timeout_s=DIAL_S, on_retry=self._note_retry)
        with sock:
            line = await _receive_line(sock)
        path = line[:-1].decode("utf-8", "replace")
        if line[-1:] != b"\n" or not os.path.isabs(path) or os.path.basename(path) != DOOR:
            raise StartupError(f"at {HOST}:{self.port} there is no manager that waits for workers (triort-manager -x)")
        return path

    async def _find_next_path(self) -> None:
        """The Unix socket is gone: hear of the next one, unless the manager itself is about to end."""
        old = self._path
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stop_looking, nursery.cancel_scope)
            while self._path == old and _has_closed(old):
                with suppress(StartupError):
                    self._path = await self._ask_path()
                await trio.sleep(DIAL_WAIT_FIRST_S)
            nursery.cancel_scope.cancel()

    async def _stop_looking(self, scope: trio.CancelScope) -> None:
        await self._has_ended.wait()
        scope.cancel()

    def _note_retry(self, attempt: int, reason: str) -> None:
        self.logger.info("attempt %d to connect to %s:%d: %s", attempt, HOST, self.port, reason)

    async def _watch_manager(self, manager: int, scope: trio.CancelScope) -> None:
        await trio.lowlevel.wait_readable(manager)
        self._is_over = True
        self._has_ended.set()
        _tidy_up(self._path)
        await trio.sleep(SHUTDOWN_WORKERS_S)  # workers see the same and end; what is in a long task is ended here
        scope.cancel()

    async def _start_one(self, template: Template) -> None:
        self._serial += 1
        cpus = None if self.cpus is None else [self.cpus[(self._serial - 1) % len(self.cpus)]]
        name = f"triort-worker[{os.getpid()}].{self._serial}"
        worker = await template.spawn(self._serial, name=name, cpus=cpus, cwd=os.getcwd(), entry=ENTRY)
        self._workers[self._serial] = worker, self._path
        with suppress(OSError):  # it has ended already; its exit is on its way
            worker.sock.send(f"{self._path}\n".encode())

    async def _next_exit(self, template: Template) -> None:
        ended = await template.receive_exit()
        worker, path = self._workers.pop(ended.node_id)
        word, text = _last_word(worker.sock)
        worker.close()
        how = f"signal {ended.signal}" if ended.signal is not None else f"exit code {ended.exit_code}"
        self.logger.info("worker %d (pid %d) has ended with %s: %s %s", ended.node_id, ended.pid, how, word, text)
        if self._is_over or word == "done":
            return
        if path == self._path and (word == "gone" or _has_closed(path)):
            await self._find_next_path()
        if path != self._path or self._is_over:
            if not self._is_over:
                await self._start_one(template)
            return
        if word == "refused":
            raise StartupError(f"the manager at {HOST}:{self.port} does not take these workers: {text}")
        self.logger.warning("worker %s (pid %d) has ended by %s and is replaced", text or word, ended.pid, how)
        now = trio.current_time()
        self._restarts.append(now)
        while self._restarts[0] < now - RESTART_WINDOW_S:
            self._restarts.popleft()
        if len(self._restarts) > RESTARTS_MAX:
            raise StartupError(f"{len(self._restarts)} workers have died within {RESTART_WINDOW_S:g} s")
        await self._start_one(template)


async def _receive_line(sock: socket.socket) -> bytes:
    """What the other side says before it hangs up, `HANDSHAKE_S` and some bytes at most."""
    said = b""
    with trio.move_on_after(HANDSHAKE_S):
        while b"\n" not in said and len(said) < RENDEZVOUS_LINE_BYTES_MAX:
            await trio.lowlevel.wait_readable(sock)
            try:
                data = sock.recv(RENDEZVOUS_LINE_BYTES_MAX)
            except OSError:
                break
            if not data:
                break
            said += data
    return said


def _last_word(sock: socket.socket) -> tuple[str, str]:
    """The last thing that a worker has told before its end: word and text."""
    try:
        said = sock.recv(4 * TEXT_CHARS_MAX)
    except OSError:
        said = b""
    lines = said.decode("utf-8", "replace").splitlines() or [""]
    word, _, text = lines[-1].partition(" ")
    return word, text


def _has_closed(path: str) -> bool:
    """Whether the manager is about to end: it takes the socket away first, and then its workers."""
    return not os.path.exists(path)


def _tidy_up(path: str) -> None:
    """A manager that was killed has left its socket behind."""
    folder = os.path.dirname(path)
    if os.path.basename(folder).startswith(FOLDER_PREFIX):
        with suppress(OSError):
            os.unlink(path)
            os.rmdir(folder)
