"""A link that outlives its connections: one `Connection` to the node above, over one raw connection after the other.

The node sends and receives as ever, and learns of nothing but the end of the *session*. A break (the raw connection
has ended without a Bye, or somebody has called `drop`) leaves the session without a connection: what is sent then waits
here, and `receive` waits, too, until `attach` brings the next one. What was under way is sent again, as `replay` tells.

The session ends when the peer says Bye, when it sends what it must not, when this side closes it (and says
Bye, as far as that goes without waiting), or when somebody calls `end`: the one who keeps it (`_node.sessions`), who
dials, counts the seconds, and hears of everything as a `Watcher`.

**Races.** A raw connection that is replaced may have a reader inside, with messages in its hands that are not counted
yet. The peer has been told a count without them and will send them again; so what comes from a connection that is not
the current one is thrown away. And a link that breaks in a send may have its peer's Bye in its buffers: before a break
is believed, all that has come is read.
"""

from collections.abc import Sequence
from typing import Protocol

import trio

from triort._model.errors import ProtocolError
from triort._model.limits import REASON_CHARS_MAX
from triort._model.messages import Beat, Bye, Message, Received
from triort._model.text import readable
from triort._transport.connection import RawConnection
from triort._transport.outgoing import cost_of
from triort._transport.replay import UNCOUNTED, Replay
from triort._wire.frames import weigh
from triort._wire.shared import Store


class Watcher(Protocol):
    """Who keeps a session; called in the middle of its work, so it may not call back at once."""

    def note_heard(self, number: int, echo: int) -> None:
        """Something has come; if it was a Beat, with its number and echo."""

    def note_broken(self, reason: str) -> None:
        """The session has no connection any more."""

    def note_ended(self) -> None:
        """The session is over."""


class SessionConnection:
    """One end of a session; ``raw`` is its first connection, with the handshake over."""

    def __init__(self, raw: RawConnection, number: int) -> None:
        self.name = raw.name
        self.store: Store | None = None
        self.number = number
        self.replay = Replay()
        self.watcher: Watcher | None = None
        self._raw: RawConnection | None = raw
        self._waiting: list[Received] = []
        self._waiting_bytes = 0
        self._mail: list[Received] = []
        self._end: Exception | None = None
        self._is_closed = False
        self._changed = trio.Event()
        raw.track(self.replay.note_sent)

    def __repr__(self) -> str:
        return f"<SessionConnection {self.name}>"

    @property
    def pending_bytes(self) -> int:
        """Bytes queued here and not yet handed over, without those that are kept only to be sent again."""
        return self._waiting_bytes if self._raw is None else self._raw.pending_bytes

    @property
    def is_broken(self) -> bool:
        """Whether the session goes on and has no connection."""
        return self._raw is None and not self.is_over

    @property
    def is_over(self) -> bool:
        """Whether it has ended, on whichever side."""
        return self._is_closed or self._end is not None

    def lift_limit(self) -> None:
        """The peer is known by the handshake, which lies before the session."""

    # -- sending -------------------------------------------------------------------------------------------------

    def send_nowait(self, message: Message, parts: Sequence[bytes] = ()) -> None:
        """Queue a message; raises `trio.ClosedResourceError` after `close`, swallows it when the session has ended."""
        if self._is_closed:
            raise trio.ClosedResourceError
        if self._raw is not None:
            self._raw.send_nowait(message, parts)
        elif self._end is None:
            self._waiting_bytes += cost_of((message, parts, weigh(message, parts)))
            self._waiting.append((message, list(parts)))

    def flush_nowait(self) -> None:
        """Hand over what the other side takes at once; nothing while there is no connection."""
        raw = self._raw
        if raw is not None:
            raw.flush_nowait()
            if raw.is_broken:
                self._read_what_is_left(raw)

    async def run_writer(self) -> None:
        """Deliver what `flush_nowait` could not, over each connection, until the session has ended."""
        await trio.lowlevel.checkpoint()
        while not self.is_over:
            raw, changed = self._raw, self._changed
            if raw is not None:
                await raw.run_writer()
                if raw is self._raw and raw.is_broken:
                    self._read_what_is_left(raw)
            await changed.wait()

    def beat(self, number: int = 0, echo: int = 0) -> None:
        """Send a Beat, which is a receipt, too."""
        if self._raw is not None:
            self._raw.send_nowait(Beat(self.replay.receipt(), number, echo))
            self._raw.flush_nowait()

    # -- receiving -----------------------------------------------------------------------------------------------

    async def receive(self) -> list[Received]:
        """Wait for messages and return all that have arrived, at least one. A checkpoint; a cancel loses nothing.

        Raises `trio.EndOfChannel` when the peer has ended the session in order, `trio.BrokenResourceError` when it is
        over in another way, `ProtocolError`, or `trio.ClosedResourceError`; each again and again.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        has_yielded = False
        while True:
            received = self._take_mail()
            if received:
                if not has_yielded:
                    await trio.lowlevel.cancel_shielded_checkpoint()
                return received
            raw, changed = self._raw, self._changed
            if raw is None:
                await changed.wait()
            else:
                try:
                    self._take(raw, await raw.receive())
                except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError) as exc:
                    self._lose(raw, exc)
            has_yielded = True

    def receive_nowait(self) -> list[Received]:
        """All messages that have arrived; empty when there are none. Raises as `receive` does."""
        if self._raw is not None and not self._mail:
            self._read(self._raw)
        return self._take_mail()

    def _take_mail(self) -> list[Received]:
        if self._is_closed:
            raise trio.ClosedResourceError
        mail = self._mail
        if mail:
            self._mail = []
        elif self._end is not None:
            raise type(self._end)(*self._end.args)
        return mail

    def feed(self, mail: Sequence[Received]) -> None:
        """These have come over the current connection, behind its handshake."""
        if self._raw is not None:
            self._take(self._raw, mail)

    def _read(self, raw: RawConnection) -> None:
        try:
            self._take(raw, raw.receive_nowait())
        except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError) as exc:
            self._lose(raw, exc)

    def _read_what_is_left(self, raw: RawConnection) -> None:
        """The connection has broken in a send: read all that had come before."""
        while self._raw is raw:
            before = self.replay.received
            self._read(raw)
            if self.replay.received == before and self._raw is raw:
                return  # its end has not come yet: the reader will see it

    def _take(self, raw: RawConnection, batch: Sequence[Received]) -> None:
        if raw is not self._raw or not batch:
            return
        number = echo = 0
        mail = self._mail
        before = len(mail)
        end: Exception | None = None
        for each in batch:
            message = each[0]
            if type(message) not in UNCOUNTED:
                mail.append(each)
            elif isinstance(message, Beat):
                number, echo = message.number or number, message.echo or echo
                try:
                    self.replay.note_receipt(message.received)
                except ProtocolError as exc:
                    end = ProtocolError(f"{self.name}: {exc}")
                    break
            elif isinstance(message, Bye):
                kind = trio.BrokenResourceError if message.reason else trio.EndOfChannel
                reason = readable(message.reason, REASON_CHARS_MAX) or "closed"
                end = kind(f"{self.name} has ended the link: {reason}")
                break
        self.replay.note_received(mail[before:] if before else mail)
        if end is not None:
            self.end(end)
            return
        if self.replay.owes_receipt:
            self.beat()
        if self.watcher is not None:
            self.watcher.note_heard(number, echo)

    # -- one connection after the other --------------------------------------------------------------------------

    def drop(self, reason: str) -> None:
        """Give the current connection up; the session waits for the next one."""
        if self._raw is not None:
            self._detach()
            self._tell_change()
            if self.watcher is not None:
                self.watcher.note_broken(reason)

    def attach(self, raw: RawConnection, received: int) -> bool:
        """Go on over this connection, whose peer has ``received`` so many messages of this side. False, and nothing is
        changed, if the peer lacks what is not kept any more, or has too much.

        Handshakes are over. The count that the peer was told has to be that of `replay` now.
        """
        if self.is_over or not self.replay.can_rewind(received):
            return False
        if self._raw is not None:
            self._detach()
        again = [*self.replay.rewind(received), *self._waiting]
        self._waiting, self._waiting_bytes = [], 0
        self._raw = raw
        raw.track(self.replay.note_sent)
        for message, parts in again:
            raw.send_nowait(message, parts)
        raw.flush_nowait()
        self._tell_change()
        return True

    def _detach(self) -> None:
        raw, self._raw = self._raw, None
        assert raw is not None
        self._waiting = raw.take_unsent()
        self._waiting_bytes = sum([cost_of((m, parts, sum(map(len, parts)))) for m, parts in self._waiting])
        raw.close()

    def _lose(self, raw: RawConnection, exc: Exception) -> None:
        """A connection has ended; that matters if it is still the current one."""
        if raw is not self._raw:
            return
        if isinstance(exc, ProtocolError):
            self.end(exc)
        else:
            self.drop(str(exc) or type(exc).__name__)

    def _tell_change(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    # -- the end -------------------------------------------------------------------------------------------------

    def end(self, error: Exception) -> None:
        """The session is over: who receives gets what has come, and then this error. The peer is told, if it can be."""
        if not self.is_over:
            self._end = error
            self._hang_up(None if isinstance(error, trio.EndOfChannel) else Bye(str(error) or type(error).__name__))

    def close(self, reason: str = "") -> None:
        """End the session, in order unless there is a ``reason``, without waiting for what is queued; idempotent. A
        blocked `receive` raises `trio.ClosedResourceError`, `run_writer` returns."""
        if self._is_closed:
            return
        was_over = self.is_over
        self._is_closed = True
        self._mail = []
        if not was_over:
            self._hang_up(Bye(reason))

    def _hang_up(self, bye: Bye | None) -> None:
        raw, self._raw = self._raw, None
        if raw is not None:
            raw.take_unsent()
            if bye is not None and not raw.is_broken:
                raw.send_nowait(bye)
                raw.flush_nowait()
            raw.close()
        self._waiting, self._waiting_bytes = [], 0
        self.replay.clear()
        self._tell_change()
        if self.watcher is not None:
            self.watcher.note_ended()
