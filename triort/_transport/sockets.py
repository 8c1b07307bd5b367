"""Messages over a non-blocking stream socket: TCP, Unix socket or socketpair.

**Who sends.** Whoever has something to say calls `flush_nowait`, which writes into the socket itself; in the normal
case no task switch lies between a message and the wire. Only when the socket is full does `run_writer` come in: it
waits until there is room, and sleeps at all other times. A flush stops after `FLUSH_BYTES_MAX` and leaves the rest to
the writer, so that a fast reader of much bulk does not keep the loop.

**Signal handlers.** A worker's handler flushes and receives here while trio is interrupted at any place. So these two
touch trio in one way only: `TrioToken.run_sync_soon`, which may be called from anywhere, to wake a writer that sleeps
when the socket is full, or has yet to look at the flag. A handler must not interrupt a call on the same connection.

**How it ends.** The peer's close is `trio.EndOfChannel` after all that it has sent, `trio.BrokenResourceError` if that
ends inside a message. A failed send says nothing: the reader will see the same later. Each end is remembered.

**What lies below.** The socket itself (a Unix socket also lends large parts: `descriptors`), or TLS on it: a `Line`.
What is sent before its handshake is over waits here; the handshake goes on in `receive`, and the rest follows.
"""

import contextlib
import socket
from collections.abc import Sequence
from typing import NoReturn

import trio

from triort._model.errors import ProtocolError
from triort._model.limits import FLUSH_BYTES_MAX, LEND_BYTES_MAX, RECEIVE_BYTES, RECEIVE_FEW_BYTES, RECEIVES_MAX
from triort._model.messages import Message, Received
from triort._model.roles import Badge
from triort._transport.descriptors import send_loan
from triort._transport.lines import Line, PlainLine
from triort._transport.outgoing import Note, Outgoing
from triort._wire.frames import Buffer, FrameParser
from triort._wire.shared import Store


class SocketConnection:
    """One end of a link over a connected stream socket, which it owns from now on.

    ``max_bytes`` limits all that is received until `lift_limit`. With a ``store``, and if it is a Unix socket, large
    parts are lent to the peer. ``line`` is how bytes go over it, if not as they are.
    """

    def __init__(
        self,
        sock: socket.socket,
        name: str,
        *,
        max_bytes: int | None = None,
        store: Store | None = None,
        line: Line | None = None,
        host: str = "",
    ) -> None:
        sock.setblocking(False)
        self.name = name
        self.host = host
        self._sock = sock
        self._line = PlainLine(sock) if line is None else line
        self.store = store if sock.family == socket.AF_UNIX else None
        self._queue = Outgoing(None if self.store is None else self.store.lend)
        self._encoded: list[Buffer] = []
        self._parser = FrameParser(max_bytes)
        self._read_bytes = RECEIVE_FEW_BYTES
        self._is_closed = self._is_broken = self._is_full = self._is_drained = False
        self._end: tuple[type[Exception], str] | None = None
        self._wakeup = trio.Event()
        self._token: trio.lowlevel.TrioToken | None = None

    def __repr__(self) -> str:
        return f"<SocketConnection {self.name}>"

    @property
    def pending_bytes(self) -> int:
        """Bytes queued here and not yet taken by the system."""
        return self._queue.pending_bytes + sum(map(len, self._encoded)) + self._line.pending_bytes

    @property
    def cluster(self) -> str:
        """The cluster that both ends belong to; empty without certificates."""
        return self._line.cluster

    @property
    def badge(self) -> Badge | None:
        """The role in the peer's certificate, once something has come; None without certificates."""
        return self._line.badge

    @property
    def is_broken(self) -> bool:
        """Whether a send has failed."""
        return self._is_broken

    def track(self, note: Note) -> None:
        """Tell of each batch when it is encoded, and keep what is not, also when the link breaks."""
        self._queue.note = note

    def take_unsent(self) -> list[Received]:
        """Take back what is not encoded, in its order."""
        return self._queue.take_all()

    def lift_limit(self) -> None:
        """The peer has been let in: ``max_bytes`` does not hold any more."""
        self._parser.lift_limit()
        self._line.lift_limit()

    # -- sending -------------------------------------------------------------------------------------------------

    def send_nowait(self, message: Message, parts: Sequence[bytes] = ()) -> None:
        """Queue a message; raises `trio.ClosedResourceError` after `close`, swallows it when the link is broken."""
        if self._is_closed:
            raise trio.ClosedResourceError
        if not self._is_broken or self._queue.note is not None:
            self._queue.push(message, parts)

    def flush_nowait(self) -> None:
        """Write until the socket is full; the writer does the rest. Never blocks, raises nothing about the link; safe
        in a signal handler that did not interrupt this connection."""
        try:
            is_full = not self._is_closed and not self._is_broken and not self._write()
        except OSError:
            self._is_broken = True
            self._encoded = []
            if self._queue.note is None:
                self._queue.clear()
            self._wake_writer()
            return
        was_full, self._is_full = self._is_full, is_full
        if is_full and not was_full:  # the flag first: the writer looks at it when it wakes
            self._wake_writer()

    async def run_writer(self) -> None:
        """Write what `flush_nowait` could not, until the connection is closed or broken; then returns. A cancel loses
        nothing: another writer may go on."""
        self._token = trio.lowlevel.current_trio_token()
        await trio.lowlevel.checkpoint()
        while not self._is_closed and not self._is_broken:
            if self._is_full:
                with contextlib.suppress(trio.ClosedResourceError):  # this end has closed, or a reader's wait was ended
                    await trio.lowlevel.wait_writable(self._sock)
                self.flush_nowait()
            else:
                self._wakeup = trio.Event()
                await self._wakeup.wait()

    def _write(self) -> bool:
        """Whether everything has been written that can be by now."""
        if not self._line.is_open:
            self._line.start()
            return True
        budget_bytes, lent_bytes = FLUSH_BYTES_MAX, 0
        while True:
            if not self._encoded:
                self._encoded = self._queue.next_buffers()
                if not self._encoded:
                    return self._line.drain()
            loan = self._queue.loan
            if budget_bytes <= 0 or (loan is not None and lent_bytes >= LEND_BYTES_MAX):
                return False
            try:
                sent = self._line.send(self._encoded) if loan is None else send_loan(self._sock, self._encoded, loan)
            except BlockingIOError:
                return False
            if sent is None:
                self._encoded = []
                self._queue.cut_loan()
                continue
            if loan is not None:
                self._queue.loan = None
                lent_bytes += len(loan)
            budget_bytes -= sent
            self._forget_sent(sent)

    def _forget_sent(self, sent: int) -> None:
        while self._encoded and sent >= len(self._encoded[0]):
            sent -= len(self._encoded.pop(0))
        if sent:
            self._encoded[0] = memoryview(self._encoded[0])[sent:]

    def _wake_writer(self) -> None:
        if self._token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._wake_writer_in_loop, idempotent=True)

    def _wake_writer_in_loop(self) -> None:
        self._wakeup.set()

    # -- receiving -----------------------------------------------------------------------------------------------

    async def secure(self) -> None:
        """Wait until the handshake of what lies below is over, if there is one."""
        self.flush_nowait()
        while not self._line.is_open:
            if self._read():
                raise ProtocolError(f"{self.name}: it speaks before it is asked")
            if not self._line.is_open:
                await trio.lowlevel.wait_readable(self._sock)

    async def receive(self) -> list[Received]:
        """Wait for messages and return those of one read, at least one. A checkpoint; a cancel loses nothing.

        Raises `trio.EndOfChannel`, `trio.BrokenResourceError`, `trio.ClosedResourceError` or `ProtocolError`; each
        again and again.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        has_yielded = False
        while True:
            received = None if self._is_drained else self._read()  # the last read had room for more
            if received:
                if not has_yielded:
                    await trio.lowlevel.cancel_shielded_checkpoint()
                return received
            if received is None:
                self._is_drained = False
                await trio.lowlevel.wait_readable(self._sock)
            else:
                await trio.lowlevel.checkpoint()
            has_yielded = True

    async def wait_mail(self) -> None:
        """Wait until there is something to read, or the link has ended; takes nothing. A checkpoint. Not over TLS."""
        with contextlib.suppress(trio.ClosedResourceError):  # the next receive tells, if that is so
            await trio.lowlevel.wait_readable(self._sock)

    def stop_waiting(self) -> None:
        """End a `wait_mail`, if there is one, though nothing has arrived."""
        if not self._is_closed:
            trio.lowlevel.notify_closing(self._sock)  # a cancel scope around each wait would be dearer than the wait

    def receive_nowait(self) -> list[Received]:
        """All messages that have arrived, up to a bound; empty when there are none. Raises as `receive` does, once
        there are no messages left to return. Safe in a signal handler that did not interrupt this connection."""
        received: list[Received] = []
        for _ in range(RECEIVES_MAX):
            try:
                messages = self._read()
            except (trio.EndOfChannel, trio.BrokenResourceError, ProtocolError):
                if received:
                    break
                raise
            if messages is None:
                break
            received += messages
            if self._is_drained:
                break
        return received

    def _read(self) -> list[Received] | None:
        """The messages that one read has completed; None when there is nothing to read."""
        if self._is_closed:
            raise trio.ClosedResourceError
        if self._end is not None:
            raise self._end[0](self._end[1])
        if (fault := self._parser.fault) is not None:
            self._finish(ProtocolError, fault)
        room = self._parser.room  # read no further, so that what follows a WELCOME is left for after `lift_limit`
        size_max = self._read_bytes if room is None else max(1, min(room, self._read_bytes))
        was_open = self._line.is_open
        try:
            data, lent = self._line.receive(size_max)
        except BlockingIOError:
            return None
        except ProtocolError as error:
            self._finish(type(error), error)
        except OSError as error:
            self._finish(trio.BrokenResourceError, error.strerror or error)
        finally:
            if not was_open and self._line.is_open:
                self.flush_nowait()
        if not data and self._parser.is_partial:
            self._finish(trio.BrokenResourceError, "the peer has gone inside a message")
        if not data:
            self._finish(trio.EndOfChannel, "the peer has closed the link")
        self._read_bytes = RECEIVE_BYTES if len(data) >= RECEIVE_FEW_BYTES else RECEIVE_FEW_BYTES
        try:
            received = self._parser.feed(data, lent)
        except ProtocolError as error:
            self._finish(ProtocolError, error)
        self._is_drained = len(data) < size_max and self._parser.fault is None and not self._line.keeps_back
        return received

    def _finish(self, kind: type[Exception], what: object) -> NoReturn:
        self._end = kind, f"{self.name}: {what}"
        raise kind(self._end[1]) from None

    # -- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close at once and drop what is queued; idempotent. A blocked `receive` raises `trio.ClosedResourceError`,
        `run_writer` returns."""
        if self._is_closed:
            return
        self._is_closed, self._is_drained = True, False
        self._line.close()
        self._queue.clear()
        self._parser.drop()
        self._encoded = []
        with contextlib.suppress(RuntimeError):  # not inside trio: then nobody waits
            trio.lowlevel.notify_closing(self._sock)
        self._sock.close()
        self._wake_writer()
