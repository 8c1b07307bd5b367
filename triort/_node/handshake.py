"""The first words on a link: who dials, what both run, and a refusal in one line that both sides can read.

Below them there may be TLS, which lets nobody come so far who is not of the cluster. What is left to be asked is the
role: whether this certificate may introduce itself so, or answer whoever does. The dialler asks before it says a word.

What peers call themselves, and why they refuse, goes into logs and errors; so it is made `readable` here.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import msgspec
import trio

from triort._model.errors import NotTrusted, ProtocolError, StartupError
from triort._model.limits import HANDSHAKE_S, REASON_CHARS_MAX, START_S
from triort._model.messages import PROTOCOL_VERSION, Hello, Received, Refuse, Started, Welcome
from triort._model.roles import why_not_answer, why_not_dial
from triort._model.text import readable
from triort._transport.connection import Connection, RawConnection
from triort._version import __version__

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class Refused(StartupError):
    """The peer has refused the link; ``again``: it may take it later."""

    def __init__(self, text: str, *, again: bool = False) -> None:
        super().__init__(text)
        self.again = again


class Stranger(StartupError):
    """The peer is no member of this cluster, or does not take this side for one; nothing was said to it."""


def make_hello(
    role: str,
    name: str,
    *,
    lower_id: int = 0,
    upper_id: int = 0,
    pid: int = 0,
    session: int = 0,
    port: int = 0,
    client: int = 0,
) -> Hello:
    """What this process says of itself when it dials; `greet` adds the cluster."""
    ours = PROTOCOL_VERSION, __version__, PYTHON, ""
    ids = (lower_id, upper_id, pid)
    return Hello(*ours, role, name, *ids, session, port=port, client=client)


async def greet(conn: RawConnection, hello: Hello) -> tuple[Welcome, list[Received]]:
    """The dialler's side: waits for the WELCOME, `HANDSHAKE_S` at most, and returns it with what came behind it.

    Raises `StartupError` when the peer refuses, is no triort node, none of this cluster or of another role, or says
    nothing.
    """
    try:
        with trio.fail_after(HANDSHAKE_S):
            await conn.secure()
            why = "" if conn.badge is None else why_not_answer(conn.badge, hello.role)
            if why:
                raise Stranger(f"{conn.name}: {why}")
            hello = msgspec.structs.replace(hello, cluster=conn.cluster)
            conn.send_nowait(hello)
            conn.flush_nowait()
            received = await conn.receive()
    except NotTrusted as exc:
        raise Stranger(str(exc)) from None
    except trio.TooSlowError:
        raise StartupError(f"{conn.name} accepted the connection and said nothing for {HANDSHAKE_S} s") from None
    except (trio.EndOfChannel, trio.BrokenResourceError):
        raise StartupError(f"{conn.name} closed the connection during the handshake") from None
    except ProtocolError as exc:
        raise StartupError(f"{conn.name} does not speak triort's protocol: {exc}") from None
    answer = received[0][0]
    if isinstance(answer, Refuse):
        reason = readable(answer.reason, REASON_CHARS_MAX)
        raise Refused(f"{conn.name} refused the connection: {reason}", again=answer.again)
    if not isinstance(answer, Welcome):
        raise StartupError(f"{conn.name} answered the handshake with {type(answer).__name__}")
    difference = find_difference(hello, answer)
    if difference:
        raise StartupError(f"{conn.name} does not fit: {difference}")
    return msgspec.structs.replace(answer, name=readable(answer.name)), received[1:]


async def receive_started(conn: Connection, rest: list[Received], what: str) -> tuple[Started, list[Received]]:
    """The boss's side, after the WELCOME: waits for the STARTED of the employee, `START_S` at most.

    ``rest`` is what has come already, ``what`` is what an error calls the employee. Raises `StartupError`.
    """
    try:
        with trio.fail_after(START_S):
            received = rest or await conn.receive()
    except trio.TooSlowError:
        raise StartupError(f"{what} did not start within {START_S} s") from None
    except (trio.EndOfChannel, trio.BrokenResourceError):
        raise StartupError(f"{what} ended before it had started") from None
    except ProtocolError as exc:
        raise StartupError(f"{what} broke the protocol: {exc}") from None
    message = received[0][0]
    if not isinstance(message, Started):
        text = readable(getattr(message, "text", ""), REASON_CHARS_MAX) or type(message).__name__
        raise StartupError(f"{what} could not start: {text}")
    return message, received[1:]


async def receive_hello(conn: RawConnection, roles: tuple[str, ...]) -> Hello:
    """The listener's side: waits for a valid HELLO, `HANDSHAKE_S` at most; the caller sends the WELCOME. The time and
    the bytes of TLS below count, too.

    Raises `ProtocolError`, having sent a REFUSE, when the peer is none of ours.
    """
    try:
        with trio.fail_after(HANDSHAKE_S):
            received = await conn.receive()
    except trio.TooSlowError:
        raise ProtocolError(f"{conn.name} said nothing for {HANDSHAKE_S} s") from None
    except (trio.EndOfChannel, trio.BrokenResourceError):
        raise ProtocolError(f"{conn.name} closed the connection during the handshake") from None
    hello = received[0][0]
    if not isinstance(hello, Hello) or len(received) != 1:
        refuse(conn, "the first message has to be a HELLO")
    difference = find_difference(msgspec.structs.replace(make_hello("", ""), cluster=conn.cluster), hello)
    if difference:
        refuse(conn, difference)
    if hello.role not in roles:
        refuse(conn, f"this is no place for a {hello.role[:20]!a}; it serves {' and '.join(roles)}")
    why = "" if conn.badge is None else why_not_dial(conn.badge, hello.role)
    if why:
        refuse(conn, why)
    return msgspec.structs.replace(hello, name=readable(hello.name))


def welcome(
    conn: RawConnection,
    name: str,
    node_id: int = 0,
    *,
    lower_id: int = 0,
    upper_id: int = 0,
    received: int = 0,
    journal: bool = False,
) -> None:
    """Let the peer in; a manager that joins hears which ids it has."""
    ours = PROTOCOL_VERSION, __version__, PYTHON, conn.cluster
    conn.send_nowait(Welcome(*ours, name, node_id, lower_id, upper_id, received, journal=journal))
    conn.flush_nowait()


def refuse(conn: Connection, reason: str, *, again: bool = False) -> NoReturn:
    """Tell the peer why not, and raise the same as `ProtocolError`; ``again``: it may be let in later."""
    conn.send_nowait(Refuse(reason, again))
    conn.flush_nowait()
    raise ProtocolError(f"refused {conn.name}: {reason}")


def find_difference(ours: Hello, theirs: Hello | Welcome) -> str:
    """What does not fit between two sides, in words with both values; empty if all does."""
    for what, here, there in (
        ("protocol version", str(ours.protocol), str(theirs.protocol)),
        ("triort version", ours.version, theirs.version),
        ("Python version", ours.python, theirs.python),
        ("cluster", ours.cluster, theirs.cluster),
    ):
        if here != there:
            return f"{what} {here!a} on this side, {there[:40]!a} on the other"
    return ""
