"""Two sessions, and lines between them that carry so many bytes and then break, at any byte."""

from __future__ import annotations

import contextlib
import socket

from tests._transport.check_connection import SPEC
from triort._model import messages as m
from triort._model.ids import Address
from triort._model.limits import CHUNK_BYTES
from triort._transport.session import SessionConnection
from triort._transport.sockets import SocketConnection

BULK = 2 * CHUNK_BYTES + 1


class Line:
    """One connection: what is written at one end comes out at the other by `pump` alone, until the line is cut."""

    def __init__(self) -> None:
        near, self._near_end = socket.socketpair()
        far, self._far_end = socket.socketpair()
        self.near = SocketConnection(near, "far")
        self.far = SocketConnection(far, "near")
        for end in (self._near_end, self._far_end):
            end.setblocking(False)
        self._left = {"down": b"", "up": b""}

    def pump(self, way: str, count: int) -> int:
        """Carry up to so many bytes; returns how many have gone on."""
        source, target = (self._near_end, self._far_end) if way == "down" else (self._far_end, self._near_end)
        carried = 0
        with contextlib.suppress(BlockingIOError, OSError):
            while carried < count:
                if not self._left[way]:
                    self._left[way] = source.recv(min(count - carried, 1 << 16))
                    if not self._left[way]:
                        break
                sent = target.send(self._left[way])
                self._left[way] = self._left[way][sent:]
                carried += sent
        return carried

    def cut(self) -> None:
        """What is under way is lost; both ends see the break."""
        self._near_end.close()
        self._far_end.close()

    def close(self) -> None:
        self.cut()
        self.near.close()
        self.far.close()


class Pair:
    """The two ends of one session. The near one dials."""

    def __init__(self) -> None:
        self.line = Line()
        self.lines = [self.line]
        self.near = SessionConnection(self.line.near, 1)
        self.far = SessionConnection(self.line.far, 1)
        self.got: dict[str, list[m.Received]] = {"near": [], "far": []}

    def end(self, side: str) -> SessionConnection:
        return self.near if side == "near" else self.far

    def read(self, side: str) -> None:
        self.got[side] += self.end(side).receive_nowait()

    def redial(self, *, welcome_is_lost: bool = False) -> bool:
        """A new line, whether or not the ends know that the old one is of no use; false if it cannot be resumed."""
        hello = self.near.replay.received
        line = Line()
        self.lines.append(line)
        told = self.far.replay.received
        if not self.far.attach(line.far, hello):
            return False
        if welcome_is_lost:
            line.cut()
            return True
        self.line = line
        return self.near.attach(line.near, told)

    def settle(self) -> None:
        """All that is under way comes."""
        still = 0
        while still < 3:
            before = [len(got) for got in self.got.values()]
            for side, way in (("near", "down"), ("far", "up")):
                self.end(side).flush_nowait()
                while self.line.pump(way, 1 << 24):
                    self.end(side).flush_nowait()
                    self.read("far" if side == "near" else "near")
                self.read("far" if side == "near" else "near")
            still = still + 1 if before == [len(got) for got in self.got.values()] else 0

    def close(self) -> None:
        for side in ("near", "far"):
            self.end(side).close()
        for line in self.lines:
            line.close()


def message(kind: str, number: int) -> m.Received:
    match kind:
        case "update":
            return m.Update(number, 0), []
        case "want":
            return m.Want(number), []
        case "waiting":
            return m.Waiting(number, 0), []
        case "cancel":
            return m.Cancel([Address(number - 1)]), []
        case "submit":
            return m.Submit(0, [SPEC], [Address(number)], [0], [3]), [b"abc"]
        case _:
            return m.Submit(0, [SPEC], [Address(number)], [0], [BULK]), [number.to_bytes(4, "big") + bytes(BULK - 4)]


def send(pair: Pair, side: str, *messages: m.Received) -> None:
    for each in messages:
        pair.end(side).send_nowait(*each)
    pair.end(side).flush_nowait()
