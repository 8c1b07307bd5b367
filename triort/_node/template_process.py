"""The template as a process: its start and its end."""

import os
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import trio

from triort._model.errors import StartupError
from triort._model.limits import SHUTDOWN_S
from triort._node.killing import kill_session

BLAS_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


class TemplateProcess:
    """The process, watched by a pidfd and reaped last, so that its pid and its session stay its own until then."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.pid = process.pid
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)
        self._has_ended = False

    async def wait_end(self) -> None:
        """Wait for the end of the template, whose socket is closed; help after `SHUTDOWN_S`. Kills all that it
        leaves: when it was killed itself, its workers die of PDEATHSIG, but what they have started does not."""
        await self._wait()
        if not self._has_ended:
            self._process.kill()
            await self._wait()
        kill_session(self.pid)

    async def _wait(self) -> None:
        with trio.move_on_after(SHUTDOWN_S):
            await trio.lowlevel.wait_readable(self._pidfd)
            self._has_ended = True

    def describe_end(self) -> str:
        """How it has ended, as a verb."""
        try:
            result = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            result = None  # somebody else in this process has reaped it
        if result is None:
            return "ended"
        if result.si_code == os.CLD_EXITED:
            return f"ended with exit code {result.si_status}"
        return f"was killed by signal {result.si_status}"

    def close(self) -> None:
        """Reap it, if it has ended, and close the pidfd."""
        if self._has_ended:
            self._process.wait()
        os.close(self._pidfd)


def start_process(blas_threads: int | None) -> tuple[TemplateProcess, socket.socket]:
    """Start a template, and return it with the boss's end of the control socket. Blocks for about a millisecond, so
    no cancel can come between the start and the return. Raises `StartupError`."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open") or not sys.executable:
        raise StartupError("workers can be spawned on Linux only, by a Python that knows pidfds and sys.executable")
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as error:
        raise StartupError(f"no control socket for the template: {error}") from error
    ours.setblocking(False)
    with theirs:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "triort._node.template", str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                env=_environment(blas_threads),
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # by the new process itself, before Python starts: no moment for a Ctrl-C
            )
        except OSError as error:
            ours.close()
            raise StartupError(f"the template process could not be started: {error}") from error
    try:
        return TemplateProcess(process), ours
    except OSError as error:
        ours.close()
        process.kill()
        process.wait()
        raise StartupError(f"the template process cannot be watched: {error}") from error


def _environment(blas_threads: int | None) -> dict[str, str]:
    """Ours, with a triort that can be imported also when it runs from a checkout."""
    environment = dict(os.environ)
    if blas_threads is not None:
        for variable in BLAS_VARIABLES:
            environment.setdefault(variable, str(blas_threads))
    root = str(Path(__file__).parents[2])
    if root not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    return environment
