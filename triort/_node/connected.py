"""Workers that have connected by themselves, as their boss holds them."""

import os
import signal

import attrs
import trio

from triort._node.last_words import last_lines
from triort._node.memory import memory_of
from triort._node.page import SharedPage
from triort._node.spawned import send_signal


@attrs.define(eq=False)
class ConnectedWorker:
    """A worker process that somebody else has started: watched and signalled by its pidfd, never reaped here.

    ``node_id`` and ``name`` are given once it has said who it is.
    """

    pid: int
    pidfd: int
    """Readable once the worker has ended; -1 after `close`."""
    page: SharedPage
    node_id: int = -1
    name: str = ""
    replaced_here: bool = False

    def poke(self) -> None:
        """Send SIGUSR1; nothing happens if the worker has ended."""
        self._signal(signal.SIGUSR1)

    def kill(self) -> None:
        """SIGKILL the worker; the one who has started it sees to its children."""
        self._signal(signal.SIGKILL)

    def memory_bytes(self) -> int:
        """What it has in memory now; 0 if it has ended."""
        return memory_of(self.pid)

    def last_words(self) -> str:
        """The last that tasks have written to their stderr; who has started it has the rest."""
        return last_lines(self.page.said())

    async def wait_ended(self) -> None:
        """Wait until the process has ended; raises `trio.ClosedResourceError` after `close`."""
        if self.pidfd < 0:
            raise trio.ClosedResourceError
        await trio.lowlevel.wait_readable(self.pidfd)

    def close(self) -> None:
        """Close page and pidfd; a second call does nothing."""
        if self.pidfd < 0:
            return
        trio.lowlevel.notify_closing(self.pidfd)
        os.close(self.pidfd)
        self.pidfd = -1
        self.page.close()

    def _signal(self, number: signal.Signals) -> None:
        send_signal(self.pidfd, number)
