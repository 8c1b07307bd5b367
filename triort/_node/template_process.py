"""The template as a process that is watched; how it is started is in `template_start`."""

import os
import socket
import subprocess

import trio

from triort._model.errors import StartupError
from triort._model.limits import SHUTDOWN_S
from triort._node.killing import kill_session
from triort._node.template_start import Begun


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


def watch_process(begun: Begun) -> tuple[TemplateProcess, socket.socket]:
    """The template of this process, and the boss's end of the control socket. Raises `StartupError`."""
    process, control = begun
    try:
        return TemplateProcess(process), control
    except OSError as error:
        control.close()
        process.kill()
        process.wait()
        raise StartupError(f"the template process cannot be watched: {error}") from error
