"""What the workers of `test_template` and `test_spawning` do; they talk to the test over the link."""

import gc
import json
import os
import random
import signal
import socket
import subprocess
import time
from typing import Any

import trio
import trio.lowlevel

from triort._node.assignment import WorkerAssignment
from triort._node.page import MAIL_READ, ON_CPU, SharedPage


def link(assignment: WorkerAssignment) -> socket.socket:
    return socket.socket(fileno=assignment.link_fd)


def tell(sock: socket.socket, **facts: Any) -> None:
    sock.sendall(json.dumps(facts).encode() + b"\n")


def facts(assignment: WorkerAssignment) -> None:
    """All about this process, by way of `trio.run`."""

    async def look() -> float:
        await trio.lowlevel.checkpoint()
        return trio.current_time()

    listed = {name: os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if is_open(name)}
    with link(assignment) as sock:
        tell(
            sock,
            pid=os.getpid(),
            group=os.getpgid(0),
            fds=listed,
            own=[assignment.link_fd, assignment.page_fd],
            inheritable=[os.get_inheritable(fd) for fd in (assignment.link_fd, assignment.page_fd)],
            environment=dict(os.environ),
            cwd=os.getcwd(),
            cpus=sorted(os.sched_getaffinity(0)),
            random=random.random(),
            gc=gc.isenabled(),
            blocked=[int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
            interrupt=signal.getsignal(signal.SIGINT) is signal.default_int_handler,
            trio=trio.run(look) > 0,
        )


def is_open(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


def leave(assignment: WorkerAssignment) -> None:
    os._exit(7)


def sys_exit(assignment: WorkerAssignment) -> None:
    raise SystemExit(3)


def fail(assignment: WorkerAssignment) -> None:
    raise ValueError("this traceback is meant to be seen")


def abort(assignment: WorkerAssignment) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def allocate(assignment: WorkerAssignment) -> None:
    bytearray(b"x") * (100 << 20)


def wait(assignment: WorkerAssignment) -> None:
    """Says its pid, and ends with its link."""
    sock = link(assignment)
    tell(sock, pid=os.getpid())
    sock.recv(1)


def family(assignment: WorkerAssignment) -> None:
    """Two children, one of them in a group of its own, then stays."""
    sleeper = subprocess.Popen(["sleep", "1000"])
    loner = subprocess.Popen(["sleep", "1000"], process_group=0)
    sock = link(assignment)
    tell(sock, pid=os.getpid(), child=sleeper.pid, loner=loner.pid)
    sock.recv(1)


def spin(assignment: WorkerAssignment) -> None:
    """Never lets go of the CPU, and has a child."""
    sleeper = subprocess.Popen(["sleep", "1000"])
    tell(link(assignment), pid=os.getpid(), child=sleeper.pid)
    while True:
        pass


def fork_and_leave(assignment: WorkerAssignment) -> None:
    """Its fork holds the link open and sleeps on."""
    sock = link(assignment)
    child = os.fork()
    if child == 0:
        time.sleep(1000)
        os._exit(0)
    tell(sock, child=child)
    os._exit(5)


def share(assignment: WorkerAssignment) -> None:
    """Reads the spare word and answers through the others."""
    page = SharedPage.from_fd(assignment.page_fd)
    with link(assignment) as sock:
        sock.recv(1)
        page.enter(page.deadline_ns * 2)
        page.words[MAIL_READ] = 3
        tell(sock, on_cpu=page.words[ON_CPU])
        sock.recv(1)
    page.close()


def await_poke(assignment: WorkerAssignment) -> None:
    """Answers each SIGUSR1 while it spins."""
    sock = link(assignment)
    signal.signal(signal.SIGUSR1, lambda number, frame: tell(sock, poked=True))
    tell(sock, pid=os.getpid())
    while True:
        pass


def ignore_poke(assignment: WorkerAssignment) -> None:
    """Has not installed a handler yet when the poke comes."""
    sock = link(assignment)
    tell(sock, pid=os.getpid())
    sock.recv(1)
    os._exit(9)
