"""A member that speaks TLS as no library does: floods of records that hold no words, or one byte each.

The `ssl` module can send no KeyUpdate. So the records are made here, by the secrets that it can be asked to log.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.security.cluster import BOUND_S, open_cluster
from tests.security.peers import hello
from tests.security.pressure import Figures, ms
from triort._access.certificates import server_name
from triort._model.limits import CHUNK_BYTES
from triort._model.roles import Badge
from triort._wire.frames import encode_piece

_HASH = "sha384"
_CIPHER = "TLS_AES_256_GCM_SHA384"
_HANDSHAKE, _APPLICATION = 22, 23
_UPDATE = b"\x18\x00\x00\x01"


class Records:
    """The sending half of TLS 1.3 after its handshake."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._take_keys()

    def words(self, data: bytes) -> bytes:
        """A record of application data; it may be empty."""
        return self._seal(data, _APPLICATION)

    def update(self, *, ask: bool) -> bytes:
        """A KeyUpdate, and the next record is under the next keys; ``ask`` for one of the other side."""
        record = self._seal(_UPDATE + bytes([ask]), _HANDSHAKE)
        self._secret = self._expand(b"traffic upd", hashlib.new(_HASH).digest_size)
        self._take_keys()
        return record

    def _take_keys(self) -> None:
        self._number = 0
        self._aead = AESGCM(self._expand(b"key", 32))
        self._mask = int.from_bytes(self._expand(b"iv", 12), "big")

    def _expand(self, label: bytes, size: int) -> bytes:
        info = struct.pack(">HB", size, 6 + len(label)) + b"tls13 " + label + b"\0\x01"
        return hmac.digest(self._secret, info, _HASH)[:size]

    def _seal(self, data: bytes, kind: int) -> bytes:
        head = struct.pack(">BHH", _APPLICATION, 0x0303, len(data) + 17)
        nonce = (self._mask ^ self._number).to_bytes(12, "big")
        self._number += 1
        return head + self._aead.encrypt(nonce, data + bytes([kind]), head)


def shake_hands(sock: socket.socket, files: Path, badge: Badge, name: str) -> Records:
    """Go through the handshake on a blocking socket, and take over from OpenSSL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(files / f"{badge.value}.pem")
    near, far = ssl.MemoryBIO(), ssl.MemoryBIO()
    with tempfile.NamedTemporaryFile("r") as log:
        context.keylog_filename = log.name
        tls = context.wrap_bio(near, far, server_hostname=name)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(far.read())
                near.write(sock.recv(65_536))
        sock.sendall(far.read())
        (secret,) = (line.split()[2] for line in log if line.startswith("CLIENT_TRAFFIC_SECRET_0 "))
    chosen = tls.cipher()
    assert chosen is not None
    assert chosen[0] == _CIPHER
    return Records(bytes.fromhex(secret))


PIECE = bytes(encode_piece(bytes(CHUNK_BYTES))[0])
"""The head of a frame of so many bytes, which no flood of single bytes fills."""
FLOODS: dict[str, Callable[[Records], bytes]] = {
    "updates": lambda records: records.update(ask=False),
    "updates that ask for answers": lambda records: records.update(ask=True),
    "updates with a byte between": lambda records: records.update(ask=True) + records.words(b"\0"),
    "empty records": lambda records: records.words(b""),
    "a byte each": lambda records: records.words(b"\0"),
}


def run_records(number: int) -> Figures:
    """Each flood with so many records, by a client that has been let in; how long an honest one waits meanwhile."""
    figures: dict[str, Any] = {"records": number}
    wrong: list[str] = []
    with open_cluster() as cluster:
        cluster.ask()
        for kind, make in FLOODS.items():
            name = server_name(cluster.authority.cluster)
            with socket.create_connection(("127.0.0.1", cluster.port), BOUND_S) as sock:
                records = shake_hands(sock, cluster.files, Badge.CLIENT, name)
                sock.sendall(records.words(hello(cluster.authority.cluster)))
                sock.recv(65_536)  # the WELCOME
                flood = records.words(PIECE) + b"".join(make(records) for _ in range(number))
                listener = threading.Thread(target=_listen, args=(sock,), daemon=True)
                sender = threading.Thread(target=_send, args=(sock, flood), daemon=True)
                start = time.perf_counter()
                for thread in (listener, sender):
                    thread.start()
                took = [cluster.ask()]
                while sender.is_alive():
                    took.append(cluster.ask())
                figures[kind] = {**ms(took), "over after, s": round(time.perf_counter() - start, 2)}
                if max(took) > 1:
                    wrong.append(f"{kind}: an honest client took {max(took):.2f} s")
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                listener.join()
        return figures, [*wrong, *cluster.problems()]


def _send(sock: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # it is hung up on
        sock.sendall(data)


def _listen(sock: socket.socket) -> None:
    """Read on, so that answers do not pile up on the other side."""
    with suppress(OSError):
        while sock.recv(65_536):
            pass
