"""Ten kinds of bad peers at the port of a real server: none is let in, nothing is unpickled, the server serves on.

Each attempt connects, does its worst, and says what came of it. Let in is who gets a WELCOME, or is not hung up on
within the time for a handshake.
"""

from __future__ import annotations

import pickle
import secrets
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.access import days, new_authority, write_access
from tests.security.capture import record_client
from tests.security.cluster import Cluster
from triort._access.certificates import make_authority, server_name
from triort._access.making import span_of
from triort._model.messages import PROTOCOL_VERSION, Hello, Refuse, Welcome
from triort._model.roles import Badge
from triort._node.handshake import PYTHON
from triort._version import __version__
from triort._wire.frames import FrameParser, encode

BOUND_S = 8.0
ABOUT = ssl.SSLError, OSError, EOFError


class Bomb:
    """What would say so if anybody unpickled it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("unpickled",)


class Stage:
    """The server's port, its files, and those of others."""

    def __init__(self, cluster: Cluster) -> None:
        self.port, self.files, folder = cluster.port, cluster.files, cluster.folder
        self.cluster = cluster.authority.cluster
        self.others = write_access(folder / "others", new_authority())
        self.forged = write_access(folder / "forged", make_authority(self.cluster, span_of(30)))
        self.old = write_access(folder / "old", cluster.authority, span=days(-9, -8))
        self.future = write_access(folder / "future", cluster.authority, span=days(8, 9))
        self.capture = record_client(self.port, self.files)

    def context(self, files: Path | None, badge: Badge = Badge.CLIENT) -> ssl.SSLContext:
        """TLS with the certificate in these files; one that checks nothing, as an attacker's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if files is not None:
            context.load_cert_chain(files / f"{badge.value}.pem")
        return context


def hello(cluster: str, role: str = "client") -> bytes:
    """The first word of a triort node."""
    message = Hello(PROTOCOL_VERSION, __version__, PYTHON, cluster, role, "bad", 0, 100, session=secrets.randbits(60))
    return b"".join(encode([(message, [])]))


def connect(stage: Stage) -> socket.socket:
    """A connection without delays."""
    sock = socket.create_connection(("127.0.0.1", stage.port), BOUND_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def speak(stage: Stage, context: ssl.SSLContext, words: bytes, name: str | None = None) -> str:
    """Shake hands, say these words, and read on."""
    with (
        connect(stage) as sock,
        context.wrap_socket(sock, server_hostname=server_name(name or stage.cluster)) as tls,
    ):
        tls.sendall(words)
        return listen(tls.recv)


def throw(stage: Stage, words: bytes) -> str:
    """Say these words without any TLS, and read on."""
    with connect(stage) as sock:
        sock.sendall(words)
        return listen(sock.recv, is_tls=False)


def listen(receive: Callable[[int], bytes], *, is_tls: bool = True) -> str:
    """Read to the end; what is said, in one word."""
    parser, words = FrameParser(), ""
    while data := receive(65_536):
        if not is_tls:
            words = words or f"answered with record type {data[0]}"
            continue
        for message, _ in parser.feed(data):
            if isinstance(message, Welcome):
                return "LET IN"
            words = f"refused: {message.reason}" if isinstance(message, Refuse) else type(message).__name__
    return words or "hung up"


def no_certificate(stage: Stage) -> str:
    return speak(stage, stage.context(None), hello(stage.cluster))


def other_authority(stage: Stage) -> str:
    return speak(stage, stage.context(stage.forged), hello(stage.cluster))


def expired(stage: Stage) -> str:
    return speak(stage, stage.context(stage.old), hello(stage.cluster))


def not_yet_valid(stage: Stage) -> str:
    return speak(stage, stage.context(stage.future), hello(stage.cluster))


def wrong_cluster(stage: Stage) -> str:
    return speak(stage, stage.context(stage.others), hello("0" * 32), "0" * 32)


def wrong_role(stage: Stage) -> str:
    """A true member that comes as what it is not."""
    badge, role = secrets.choice(((Badge.CLIENT, "employee"), (Badge.NODE, "client"), (Badge.CLIENT, "worker")))
    return speak(stage, stage.context(stage.files, badge), hello(stage.cluster, role))


def old_tls(stage: Stage) -> str:
    context = stage.context(stage.files)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return speak(stage, context, hello(stage.cluster))


def plaintext(stage: Stage) -> str:
    return throw(stage, hello(stage.cluster))


def a_pickle(stage: Stage) -> str:
    """Without TLS; and, every other time, as the first word of a true member."""
    bomb = pickle.dumps(Bomb(), protocol=5)
    if secrets.randbelow(2):
        return throw(stage, bomb)
    return speak(stage, stage.context(stage.files), bomb)


def replayed(stage: Stage) -> str:
    """What an honest client has sent, byte by byte the same."""
    return throw(stage, stage.capture)


KINDS: dict[str, Callable[[Stage], str]] = {
    "no certificate": no_certificate,
    "other authority": other_authority,
    "expired": expired,
    "not yet valid": not_yet_valid,
    "wrong cluster": wrong_cluster,
    "wrong role": wrong_role,
    "TLS 1.2": old_tls,
    "plaintext": plaintext,
    "a pickle": a_pickle,
    "a replayed capture": replayed,
}


def attempt(stage: Stage, kind: str) -> str:
    """What came of one attempt."""
    try:
        return KINDS[kind](stage)
    except TimeoutError:
        return "LEFT OPEN"
    except ABOUT as exc:
        return getattr(exc, "reason", None) or type(exc).__name__


def run_kind(stage: Stage, kind: str, number: int) -> tuple[dict[str, Any], list[str]]:
    """So many attempts; figures, and what is wrong."""
    start = time.perf_counter()
    ends = Counter(attempt(stage, kind) for _ in range(number))
    wrong = [f"{kind}: {end} ({count} times)" for end, count in ends.items() if end.isupper() and " " in end]
    ms = (time.perf_counter() - start) / number * 1e3
    return {"attempts": number, "ms each": round(ms, 2), "ends": dict(ends.most_common(4))}, wrong
