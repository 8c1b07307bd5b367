"""What a worker process writes to its stderr: passed on to the boss's own, and the end of it kept.

The worker's fd 2 is a pipe to its boss, so that what C code, ``faulthandler`` and the processes that a task starts
write there is caught, too. A pipe outlives its writer: when a worker has been killed, its last words can still be read.
(What a task prints to ``sys.stderr`` goes to its client and not here; the end of that stands on the worker's page.)
"""

from __future__ import annotations

import os
from contextlib import suppress

import trio

from triort._model.limits import RECEIVES_MAX, STDERR_TAIL_BYTES, STDERR_TAIL_LINES

PIPE_BYTES = 64 << 10


class LastWords:
    """The boss's end of the pipe; owned by this object."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        os.set_blocking(fd, False)
        self._tail = b""

    async def run(self) -> None:
        """Pass on what comes, until the pipe is closed at either end."""
        with suppress(trio.ClosedResourceError):
            while self.fd >= 0:
                await trio.lowlevel.wait_readable(self.fd)
                if not self.read_nowait():
                    return

    def read_nowait(self) -> bool:
        """Read what is there; false at the end."""
        with suppress(BlockingIOError):
            for _ in range(RECEIVES_MAX if self.fd >= 0 else 0):
                data = os.read(self.fd, PIPE_BYTES)
                if not data:
                    return False
                self._tail = (self._tail + data)[-STDERR_TAIL_BYTES:]
                _pass_on(data)
        return self.fd >= 0

    def text(self) -> str:
        """The last lines that have come, `STDERR_TAIL_LINES` at most."""
        self.read_nowait()
        return last_lines(self._tail)

    def close(self) -> None:
        """Close the pipe; idempotent. A process that has left its worker and still writes there gets an error."""
        if self.fd >= 0:
            trio.lowlevel.notify_closing(self.fd)
            os.close(self.fd)
            self.fd = -1


def last_lines(data: bytes) -> str:
    """The end of what has been written, as text; a line of which only the end was kept is left out."""
    whole = data if len(data) < STDERR_TAIL_BYTES else data.partition(b"\n")[2] or data
    return "\n".join(whole.decode("utf-8", "backslashreplace").strip().splitlines()[-STDERR_TAIL_LINES:])


def _pass_on(data: bytes) -> None:
    with suppress(OSError):
        while data:
            data = data[os.write(2, data) :]
