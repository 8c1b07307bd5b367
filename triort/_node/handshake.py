"""The first words on a link: who dials, what both run, and a refusal in one line that both sides can read."""

from __future__ import annotations

import sys
from typing import NoReturn

import trio

from triort._model.errors import ProtocolError, StartupError
from triort._model.limits import HANDSHAKE_S, START_S
from triort._model.messages import PROTOCOL_VERSION, Hello, Received, Refuse, Started, Welcome
from triort._transport.connection import Connection
from triort._version import __version__

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CLUSTER = ""


class Refused(StartupError):
    """The peer has refused the link; ``again``: it may take it later."""

    def __init__(self, text: str, *, again: bool = False) -> None:
        super().__init__(text)
        self.again = again


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
    """What this process says of itself when it dials."""
    ours = PROTOCOL_VERSION, __version__, PYTHON, CLUSTER
    ids = (lower_id, upper_id, pid)
    return Hello(*ours, role, name, *ids, session, port=port, client=client)


async def greet(conn: Connection, hello: Hello) -> tuple[Welcome, list[Received]]:
    """The dialler's side: waits for the WELCOME, `HANDSHAKE_S` at most, and returns it with what came behind it.

    Raises `StartupError` when the peer refuses, is no triort node, or says nothing.
    """
    conn.send_nowait(hello)
    conn.flush_nowait()
    try:
        with trio.fail_after(HANDSHAKE_S):
            received = await conn.receive()
    except trio.TooSlowError:
        raise StartupError(f"{conn.name} accepted the connection and said nothing for {HANDSHAKE_S} s") from None
    except (trio.EndOfChannel, trio.BrokenResourceError):
        raise StartupError(f"{conn.name} closed the connection during the handshake") from None
    except ProtocolError as exc:
        raise StartupError(f"{conn.name} does not speak triort's protocol: {exc}") from None
    answer = received[0][0]
    if isinstance(answer, Refuse):
        raise Refused(f"{conn.name} refused the connection: {answer.reason}", again=answer.again)
    if not isinstance(answer, Welcome):
        raise StartupError(f"{conn.name} answered the handshake with {type(answer).__name__}")
    difference = find_difference(hello, answer)
    if difference:
        raise StartupError(f"{conn.name} does not fit: {difference}")
    return answer, received[1:]


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
        text = getattr(message, "text", "") or type(message).__name__
        raise StartupError(f"{what} could not start: {text}")
    return message, received[1:]


async def receive_hello(conn: Connection, roles: tuple[str, ...]) -> Hello:
    """The listener's side: waits for a valid HELLO, `HANDSHAKE_S` at most; the caller sends the WELCOME.

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
    difference = find_difference(make_hello("", ""), hello)
    if difference:
        refuse(conn, difference)
    if hello.role not in roles:
        refuse(conn, f"this is no place for a {hello.role[:20]!r}; it serves {' and '.join(roles)}")
    return hello


def welcome(
    conn: Connection,
    name: str,
    node_id: int = 0,
    *,
    lower_id: int = 0,
    upper_id: int = 0,
    received: int = 0,
    journal: bool = False,
) -> None:
    """Let the peer in; a manager that joins hears which ids it has."""
    ours = PROTOCOL_VERSION, __version__, PYTHON, CLUSTER
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
            return f"{what} {here!r} on this side, {there[:40]!r} on the other"
    return ""
