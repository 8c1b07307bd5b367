"""TLS between a connection and its socket: plain bytes above, records below, a handshake in the first reads.

OpenSSL works on memory here (`ssl.MemoryBIO`) and this module moves the bytes. So what a peer may send before it is
let in is counted to the byte, handshake included; one call to the system takes many records; and nothing has to be
sent twice in the same form because a socket was full.

**The handshake** needs no call of its own. Whoever receives does its steps, and what was sent before it is over goes
out when it is. With TLS 1.3 the dialler's handshake is over before the listener has looked at its certificate; so a
dialler learns of a refusal with the first read (an alert), as it learns of the WELCOME.

**The end.** A close says so (close_notify), so an end that the peer has meant is known from one that somebody else has
made by cutting the connection: the first is an end, the second a break.

**Answers.** A peer can ask for answers of TLS itself (KeyUpdate). One that asks on and on and does not read them would
make us keep them; beyond `TLS_ANSWER_BYTES_MAX` that is its fault. And one that sends nothing but such would keep us
reading for ever, for they hold nothing that could be returned; so that is a fault beyond `TLS_WORDLESS_BYTES_MAX`.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Sequence
from typing import Any

from triort._access.access import Access, Credentials
from triort._access.words import ALERTS, explain
from triort._model.errors import NotTrusted, ProtocolError
from triort._model.limits import TLS_ANSWER_BYTES_MAX, TLS_BATCH_BYTES, TLS_WORDLESS_BYTES_MAX
from triort._model.roles import Badge
from triort._transport.lines import make_room
from triort._wire.frames import Buffer
from triort._wire.shared import Shared

_WANTS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsLine:
    """One end of TLS over a non-blocking socket; ``raw_bytes_max`` limits what comes until `lift_limit`."""

    __slots__ = ("_answer_bytes", "_credentials", "_in", "_is_unsettled", "_out", "_raw_room", "_rest", "_room",
                 "_sock", "_tls", "_wordless_bytes", "badge", "cluster", "is_open")  # fmt: skip

    def __init__(self, sock: socket.socket, access: Access, *, listens: bool, raw_bytes_max: int | None) -> None:
        self._credentials: Credentials = access.load()
        self._sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = self._credentials.listening if listens else self._credentials.dialling
        name = None if listens else self._credentials.server_name
        self._tls = context.wrap_bio(self._in, self._out, server_side=listens, server_hostname=name)
        self._rest: memoryview | bytes = b""
        """Of what was taken from OpenSSL, that which the socket has not taken."""
        self._answer_bytes = 0
        self._raw_room = raw_bytes_max
        self._wordless_bytes = 0
        """How much has come since there were words in it."""
        self._room = make_room()
        self.is_open = False
        self._is_unsettled = True
        """Whether OpenSSL has more to say than what waits to be decrypted: its handshake goes on, or it has met the end
        or a fault."""
        self.badge: Badge | None = None
        """The peer's role, once the handshake is over."""
        self.cluster = self._credentials.file.cluster

    @property
    def pending_bytes(self) -> int:
        """What is encrypted and not yet taken by the system."""
        return len(self._rest) + self._out.pending

    @property
    def keeps_back(self) -> bool:
        """Whether OpenSSL has something to say without more from the socket. To ask it in vain is an exception, which
        costs as much as to decrypt a message."""
        return self._is_unsettled or self._in.pending > 0 or self._tls.pending() > 0

    def lift_limit(self) -> None:
        """The peer has been let in."""
        self._raw_room = None

    # -- sending -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The dialler's first word. Raises `OSError`."""
        if not self._step():
            self.drain()

    def send(self, buffers: Sequence[Buffer]) -> int:
        """Encrypt and send some of this; how much was taken. Raises `BlockingIOError` when the system takes nothing,
        and other `OSError`."""
        if not self.drain():
            raise BlockingIOError
        taken = 0
        for buffer in buffers:
            view = memoryview(buffer)
            while view and taken < TLS_BATCH_BYTES:
                size = self._tls.write(view)
                view = view[size:]
                taken += size
        self.drain()
        return taken

    def drain(self) -> bool:
        """Have the system take what is encrypted; whether it has taken all. Raises `OSError`."""
        while True:
            if not self._rest:
                self._rest = self._out.read()
                if not self._rest:
                    self._answer_bytes = 0
                    return True
            try:
                size = self._sock.send(self._rest)
            except BlockingIOError:
                return False
            except OSError:
                self._rest, self._out = b"", ssl.MemoryBIO()  # it is broken: nothing of it will arrive
                raise
            self._rest = memoryview(self._rest)[size:] if size < len(self._rest) else b""

    def close(self) -> None:
        """Tell that this end closes, as far as the system takes it at once. Raises nothing."""
        if self.is_open:
            try:
                self._tls.unwrap()
            except OSError:  # it waits for the peer's goodbye, which nobody will read
                pass
            try:
                self.drain()
            except OSError:
                pass
        self._room.release()

    # -- receiving -----------------------------------------------------------------------------------------------

    def receive(self, size: int) -> tuple[bytes, list[Shared]]:
        """So many bytes at most, and at least one; empty when the peer has closed.

        Raises `BlockingIOError` when nothing is there, `NotTrusted` or `ProtocolError` by the peer's fault, and
        `OSError`, also for a connection that was cut.
        """
        while True:
            filled = self._decrypt(self._room[:size]) if self.keeps_back else None
            if filled is not None:
                self._wordless_bytes = 0
                return bytes(self._room[:filled]), []
            self._take_raw()

    def _decrypt(self, room: memoryview) -> int | None:
        """How much is there now, 0 at the end; None if more has to come first."""
        before, filled = self._out.pending, 0
        self._is_unsettled = True
        try:
            if self._step():
                while filled < len(room):
                    size = self._tls.read(len(room) - filled, room[filled:])
                    if not size:
                        return filled
                    filled += int(size)
                    if not (self._in.pending or self._tls.pending()):
                        break
                self._is_unsettled = False
        except _WANTS:
            self._is_unsettled = not self.is_open
        except ssl.SSLZeroReturnError:
            return filled
        except ssl.SSLError as error:
            if not filled:  # else the next read meets it again
                self._fail(error)
        self._answer(self._out.pending - before, has_read=filled > 0)
        return filled or None

    def _answer(self, grown: int, *, has_read: bool) -> None:
        """Send what TLS itself has to say to what was read."""
        if grown <= 0:
            return
        try:
            if self.drain():
                return
        except OSError:
            if has_read:  # else the next read meets it again
                return
            raise
        self._answer_bytes += grown
        if self._answer_bytes > TLS_ANSWER_BYTES_MAX:
            raise ProtocolError("it asks for answers of TLS and does not read them")

    def _take_raw(self) -> None:
        room, limit = self._room, self._raw_room
        if limit == 0:
            raise ProtocolError("more bytes than a peer may send before it is let in")
        if self._wordless_bytes >= TLS_WORDLESS_BYTES_MAX:
            raise ProtocolError("it sends records of TLS that hold no words")
        size = self._sock.recv_into(room, 0 if limit is None else min(limit, len(room)))
        if not size:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the connection was cut")
        if limit is not None:
            self._raw_room = limit - size
        self._wordless_bytes += size
        self._in.write(room[:size])

    # -- the handshake -------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Go on with the handshake; whether it is over. Raises `SSLError`, and `NotTrusted` for a certificate that is
        none of ours."""
        if not self.is_open:
            try:
                self._tls.do_handshake()
            except _WANTS:
                return False
            self.badge = self._identify()
            self.is_open = True
        return True

    def _identify(self) -> Badge:
        """The role in the peer's certificate, which this cluster's authority has signed."""
        found: dict[str, Any] = dict(self._tls.getpeercert() or {})
        names = {value for kind, value in found.get("subjectAltName", ()) if kind == "DNS"}
        titles = [value for group in found.get("subject", ()) for key, value in group if key == "commonName"]
        if names != {self._credentials.server_name}:
            raise NotTrusted(f"its certificate is not one of the cluster {self.cluster}")
        try:
            (title,) = titles
            return Badge(title)
        except ValueError:
            raise NotTrusted("its certificate names no role") from None

    def _fail(self, error: ssl.SSLError) -> None:
        """The peer hears an alert, as far as that goes; this side says what is wrong.

        After the handshake, records that cannot be read are no words of the peer: somebody has changed them on their
        way, and that is a break of the connection like any other. Only an alert is the peer's own.
        """
        try:
            self.drain()
        except OSError:
            pass
        if self.is_open and error.reason not in ALERTS:
            raise ConnectionAbortedError(errno.ECONNABORTED, "what has come was changed on its way") from None
        raise NotTrusted(explain(error, self.cluster, getattr(self._tls, "wanted", None))) from None
