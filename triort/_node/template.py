"""The template: a process that has imported all that a worker needs, and forks workers.

Run as ``python -m triort._node.template CONTROL_FD BOSS_PID [MODULE…]`` by `template_process`, as the leader of a
session of its own, so that a terminal's Ctrl-C reaches neither it nor the workers. To start Python and import trio
takes fifty times as long as a fork. The template has one thread and never runs trio; so a fork copies a quiet process,
and PDEATHSIG, which is bound to the *thread* that forked, means what one would think it means.

It is the parent of all workers of its node, hence the one that can reap them and that can kill a process group without
hitting a stranger. It lives exactly as long as its boss, even when that is killed: it ends at EOF of the control
socket, and, since a process that the boss has forked may hold that socket open, also by a pidfd of the boss.

The races, each named where it is met:

1. A signal between the fork and the child's own handlers. SIGTERM stays blocked meanwhile; SIGUSR1 (the poke) is
   ignored from the start until the worker installs its handler, for by default it would kill.
2. The template dies before the child has asked for PDEATHSIG: the child looks at its parent's pid afterwards.
3. KILL comes before the child has made its group: both sides call setpgid, whoever is first.
4. The worker has ended, its children have not: the group is killed *before* the worker is reaped, while its pid cannot
   be given to anybody else.
5. The boss reads slowly. Reports wait here in order; the pidfds in them are duplicates, which outlive the reaping.
6. An fd left open in a child would hide an EOF from somebody: the child closes all but its own.
"""

import errno
import gc
import importlib
import importlib.util
import os
import selectors
import signal
import socket
import sys
import traceback
from collections import deque

import attrs
import msgspec

from triort._model.limits import CONTROL_PENDING_MAX
from triort._node.assignment import Command, Exited, Failed, Kill, Ready, Report, Spawn, Spawned, receive_packet
from triort._node.forked import close_all_but, die_with_parent, run_entry
from triort._node.killing import kill_group, kill_session

PRELOAD = ("trio", "msgspec", "greenlet", "cloudpickle", "triort._node.worker_entry")


@attrs.frozen
class _Worker:
    node_id: int
    pid: int
    pidfd: int


@attrs.define(eq=False)
class _Template:
    control: socket.socket
    woken: socket.socket
    waker: socket.socket
    boss_pidfd: int
    pid: int = attrs.field(factory=os.getpid)
    boss_is_gone: bool = False
    workers: dict[int, _Worker] = attrs.field(factory=dict)
    reports: deque[tuple[bytes, list[int]]] = attrs.field(factory=deque)
    selector: selectors.PollSelector = attrs.field(factory=selectors.PollSelector)  # epoll would be shared by a fork
    decoder: msgspec.msgpack.Decoder[Command] = attrs.field(factory=lambda: msgspec.msgpack.Decoder(Command))

    def serve(self) -> Spawn | None:
        """Serve the boss until it is gone: None. In a forked child: what it is to be, on this shallow stack."""
        self.selector.register(self.control, selectors.EVENT_READ)
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.selector.register(self.boss_pidfd, selectors.EVENT_READ)
        self.post(Ready(self.pid))
        while not self.boss_is_gone:
            for key, events in self.selector.select():
                if isinstance(key.data, _Worker):
                    self.bury(key.data)
                elif key.fileobj is not self.control:
                    self.boss_is_gone = True  # SIGTERM, or the end of the boss itself
                else:
                    if events & selectors.EVENT_WRITE:
                        self.flush()
                    if events & selectors.EVENT_READ and (spawn := self.receive()):
                        return spawn
        return None

    def end(self) -> None:
        """Kill all workers with all that they have started, and reap them."""
        kill_session(self.pid)
        for worker in self.workers.values():
            os.waitpid(worker.pid, 0)

    # -- commands

    def receive(self) -> Spawn | None:
        """One command, or the end of the boss. Returns a `Spawn` only in the child that it has made."""
        try:
            data, fds = receive_packet(self.control, fds_max=3)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            data, fds = b"", []
        if not data:
            self.boss_is_gone = True
            return None
        command = self.decoder.decode(data)
        if isinstance(command, Kill):
            if worker := self.workers.get(command.node_id):
                kill_group(worker.pid)
            return None
        try:
            made = self.fork(command, fds)
        except OSError as error:
            self.post(Failed(command.assignment.node_id, str(error)))
            return None
        finally:
            if os.getpid() == self.pid:
                for fd in fds:
                    os.close(fd)
        if isinstance(made, Spawn):
            return made
        self.post(Spawned(command.assignment.node_id, made[0]), [made[1]])
        return None

    def fork(self, spawn: Spawn, fds: list[int]) -> Spawn | tuple[int, int]:
        """Returns the child's pid and a pidfd for the boss; in the child, its `Spawn`."""
        node_id = spawn.assignment.node_id
        if len(fds) != 3:
            raise OSError("the template is out of file descriptors")
        if node_id in self.workers:
            raise OSError("the last worker with this id has not ended yet")
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # race 1
        try:
            pid = os.fork()  # reseeds random in the child
            if pid == 0:
                return self.become_worker(spawn, fds)
        finally:
            if os.getpid() == self.pid:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        try:
            worker = _Worker(node_id, pid, os.pidfd_open(pid))
            duplicate = os.dup(worker.pidfd)  # race 5
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        try:
            os.setpgid(pid, pid)  # race 3
        except (PermissionError, ProcessLookupError):
            pass  # the child has done it itself, and has gone on to exec or to its end
        self.workers[node_id] = worker
        self.selector.register(worker.pidfd, selectors.EVENT_READ, worker)
        return pid, duplicate

    def become_worker(self, spawn: Spawn, fds: list[int]) -> Spawn:
        """In the child: shed all that belongs to the template. Nothing raised here may reach the template's code."""
        try:
            os.setpgid(0, 0)
            die_with_parent(self.pid)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, set())
            for sock in (self.control, self.woken, self.waker):
                sock.close()
            os.dup2(fds[2], 2)
            close_all_but({0, 1, 2, *fds[:2]})
            gc.enable()
            assignment = msgspec.structs.replace(spawn.assignment, link_fd=fds[0], page_fd=fds[1])
            return msgspec.structs.replace(spawn, assignment=assignment)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    # -- reports

    def bury(self, worker: _Worker) -> None:
        """A worker has ended: so do its children, then tell the boss."""
        self.selector.unregister(worker.pidfd)
        kill_group(worker.pid)  # race 4
        _, status, usage = os.wait4(worker.pid, 0)
        os.close(worker.pidfd)
        del self.workers[worker.node_id]
        code = os.waitstatus_to_exitcode(status)
        exit_code, killer = (code, None) if code >= 0 else (None, -code)
        self.post(Exited(worker.node_id, worker.pid, exit_code, killer, usage.ru_maxrss << 10))

    def post(self, report: Report, fds: list[int] | None = None) -> None:
        """Send as soon as the socket takes it; never blocks. ``fds`` are closed once they are sent."""
        self.reports.append((msgspec.msgpack.encode(report), fds or []))
        self.flush()

    def flush(self) -> None:
        try:
            while self.reports:
                data, fds = self.reports[0]
                socket.send_fds(self.control, [data], fds)
                self.reports.popleft()
                for fd in fds:
                    os.close(fd)
        except (BrokenPipeError, ConnectionResetError):
            self.boss_is_gone = True
        except OSError as error:  # no room for packets, or for fds on their way; poll tells when to try again
            if error.errno not in (errno.EAGAIN, errno.ETOOMANYREFS):
                raise
        events = selectors.EVENT_WRITE if self.reports else 0
        if len(self.reports) < CONTROL_PENDING_MAX:  # else the boss is to read before it asks for more
            events |= selectors.EVENT_READ
        self.selector.modify(self.control, events)


def _preload(others: list[str]) -> None:
    """Import what workers need. A module that is not there is for the worker to complain about; one that fails to be
    imported is an error here."""
    for name in (*PRELOAD, *others):
        if importlib.util.find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)
    gc.freeze()


def _open(control_fd: int, boss: int) -> _Template:
    if os.getsid(0) != os.getpid():
        os.setsid()
    gc.disable()  # until the child: garbage is better left where it is, on pages shared by all
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, as a boss may hand it on, it would leave nobody to reap
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # read from the wakeup fd
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    control.setblocking(False)
    template = _Template(control, woken, waker, os.pidfd_open(boss))
    template.boss_is_gone = os.getppid() != boss  # then the pidfd may be a stranger's
    return template


def main() -> None:
    template = _open(int(sys.argv[1]), int(sys.argv[2]))
    spawn = None
    try:
        _preload(sys.argv[3:])
        spawn = template.serve()
    finally:
        if os.getpid() == template.pid:
            template.end()
    if spawn is not None:
        code = run_entry(spawn)
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


if __name__ == "__main__":
    main()
