"""Links over TCP: with TLS, by the access of who calls; without it on loopback only, where nothing leaves the host.

Dialling goes on until the listener is there: nodes of a cluster start in any order. A refused connection is an answer
within microseconds, so attempts are spaced by growing waits. Dialling a free port of one's own host can, by chance,
connect a socket to itself (both ends take the same port); such a link is thrown away and counts as refused.

Running out of file descriptors must neither end a listener nor make it spin: the connection stays in the backlog, so
the listener stays readable; it waits `ACCEPT_WAIT_S` and looks again.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import trio

from triort._model.errors import StartupError, UsageError
from triort._model.limits import (
    ACCEPT_WAIT_S,
    DIAL_WAIT_FIRST_S,
    DIAL_WAIT_GROWTH,
    DIAL_WAIT_MAX_S,
    HANDSHAKE_BYTES_MAX,
    LISTEN_BACKLOG_MAX,
)
from triort._transport.endpoints import quote, show_endpoint
from triort._transport.lines import Line
from triort._transport.sockets import SocketConnection

if TYPE_CHECKING:
    from triort._access.access import Access

_Address = tuple[str | int, ...]
_Place = tuple[socket.AddressFamily, _Address]
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_SHARED_PORT_ATTEMPTS_MAX = 8


async def listen_tcp(host: str, port: int, access: Access | None = None) -> list[socket.socket]:
    """Listen on each address of ``host``; port 0 lets the system pick one for all of them.

    Blocks for the name's resolution alone; a cancel leaves nothing open. The caller closes the listeners with
    `close_listener`. Raises `UsageError` for an address that is not loopback if there is no access, `AccessError` for
    an access that cannot be used, `StartupError` if it cannot listen.
    """
    if access is not None:
        access.load()
    try:
        places = await _resolve(host, port, anywhere=access is not None)
    except socket.gaierror as error:
        raise StartupError(f"cannot listen on {show_endpoint(host, port)}: {error.strerror}") from None
    for attempt in range(_SHARED_PORT_ATTEMPTS_MAX):
        try:
            return _listen_on(places)
        except OSError as error:
            # a port that was free for one address may be taken for the next one: then try another
            if error.errno != errno.EADDRINUSE or port or attempt == _SHARED_PORT_ATTEMPTS_MAX - 1:
                raise StartupError(f"cannot listen on {show_endpoint(host, port)}: {_listen_failure(error)}") from None
    raise AssertionError("unreachable")


async def accept_tcp(
    listener: socket.socket,
    access: Access | None = None,
    *,
    max_bytes: int | None = HANDSHAKE_BYTES_MAX,
    make_room: Callable[[], object] = int,
) -> SocketConnection:
    """Wait for the next connection, as `accept_socket` does. What it sends is limited to ``max_bytes`` until its
    `lift_limit` is called. Raises `AccessError`."""
    sock, (host, port, *_) = await accept_socket(listener, make_room)
    return _connection(sock, show_endpoint(host, port), max_bytes, access, host=host)


async def accept_socket(listener: socket.socket, make_room: Callable[[], object] = int) -> tuple[socket.socket, Any]:
    """Wait for the next connection; returns its socket, for words that are no frames, and the peer's address.

    Outlasts connections that are gone already and a lack of file descriptors, at which it calls ``make_room``. A cancel
    loses no connection. Raises `trio.ClosedResourceError` when the listener is closed.
    """
    await trio.lowlevel.checkpoint()
    while True:
        if listener.fileno() < 0:
            raise trio.ClosedResourceError
        try:
            return listener.accept()
        except BlockingIOError:
            await trio.lowlevel.wait_readable(listener)
        except OSError as error:
            if error.errno == errno.ECONNABORTED:
                await trio.lowlevel.checkpoint()
            else:
                make_room()
                await trio.sleep(ACCEPT_WAIT_S)


def close_listener(listener: socket.socket) -> None:
    """Stop listening; a blocked `accept_tcp` raises `trio.ClosedResourceError`. Idempotent; inside trio only."""
    if listener.fileno() >= 0:
        trio.lowlevel.notify_closing(listener)
        listener.close()


async def dial_tcp(
    host: str,
    port: int,
    access: Access | None = None,
    *,
    timeout_s: float,
    max_bytes: int | None = HANDSHAKE_BYTES_MAX,
    on_retry: Callable[[int, str], None] | None = None,
) -> SocketConnection:
    """Connect as `dial_socket` does. What the peer sends is limited to ``max_bytes`` until `lift_limit` is called."""
    if access is not None:
        access.load()
    anywhere = access is not None
    sock = await dial_socket(host, port, timeout_s=timeout_s, on_retry=on_retry, anywhere=anywhere)
    return _connection(sock, show_endpoint(host, port), max_bytes, access, dials=True)


async def dial_tcp_once(
    host: str, port: int, access: Access | None = None, *, max_bytes: int | None = HANDSHAKE_BYTES_MAX
) -> SocketConnection:
    """Connect in one attempt; raises `OSError`, and `ConnectionRefusedError` where nobody listens, and `AccessError`. A
    cancel leaves nothing open."""
    sock = await _dial_once(host, port, anywhere=access is not None)
    return _connection(sock, show_endpoint(host, port), max_bytes, access, dials=True)


async def dial_socket(
    host: str,
    port: int,
    *,
    timeout_s: float,
    on_retry: Callable[[int, str], None] | None = None,
    anywhere: bool = False,
) -> socket.socket:
    """Connect, again and again with growing waits, for ``timeout_s``; ``on_retry(attempt, reason)`` hears of failures.

    A cancel leaves nothing open. Raises `UsageError` for an address that is not loopback, unless it may be
    ``anywhere``; `StartupError` with the last reason when the time is over.
    """
    reason, attempt, wait_s = "no answer", 0, DIAL_WAIT_FIRST_S
    with trio.move_on_after(timeout_s):
        while True:
            attempt += 1
            try:
                return await _dial_once(host, port, anywhere=anywhere)
            except socket.gaierror as error:
                reason = error.strerror or str(error)
                if error.errno != socket.EAI_AGAIN:
                    break
            except OSError as error:
                reason = _reason(error)
            if on_retry is not None:
                on_retry(attempt, reason)
            await trio.sleep(wait_s)
            wait_s = min(wait_s * DIAL_WAIT_GROWTH, DIAL_WAIT_MAX_S)
    raise StartupError(f"cannot connect to {show_endpoint(host, port)}: {reason} (attempts: {attempt})")


async def _dial_once(host: str, port: int, *, anywhere: bool) -> socket.socket:
    """Of several addresses, such as 127.0.0.1 and ::1, the first that answers; "refused" only if all have refused."""
    failure: OSError | None = None
    for family, address in await _resolve(host, port, anywhere=anywhere):
        try:
            return await _connect(family, address)
        except OSError as error:
            if failure is None or isinstance(failure, ConnectionRefusedError):
                failure = error
    raise failure or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))


async def _connect(family: socket.AddressFamily, address: _Address) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        code = sock.connect_ex(address)
        if code == errno.EINPROGRESS:
            await trio.lowlevel.wait_writable(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        if sock.getsockname() == sock.getpeername():
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    except BaseException:
        sock.close()
        raise
    return sock


async def _resolve(host: str, port: int, *, anywhere: bool) -> list[_Place]:
    """Where ``host`` is; only loopback passes, unless it may be ``anywhere``."""
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except ValueError:  # what cannot be a name: an empty or endless label, a NUL
        raise UsageError(f"{quote(host)} is not a host name") from None
    for *_, address in found:
        if not anywhere and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
            raise UsageError(
                f"{show_endpoint(host, port)} is not a loopback address, and nothing here goes further in the clear"
            )
    return list(dict.fromkeys((family, cast(_Address, address)) for family, _, _, _, address in found))


def _listen_on(places: list[_Place]) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, address in places:
            port = listeners[0].getsockname()[1] if listeners else address[1]
            try:
                listeners.append(_listen_at(family, (address[0], port, *address[2:])))
            except OSError as error:  # localhost may name an IPv6 address on a host that has none
                if error.errno not in _ABSENT:
                    raise
                absent = error
        if absent is not None and not listeners:
            raise absent
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _listen_at(family: socket.AddressFamily, address: _Address) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(LISTEN_BACKLOG_MAX)
    except BaseException:
        sock.close()
        raise
    return sock


def _connection(
    sock: socket.socket,
    name: str,
    max_bytes: int | None,
    access: Access | None,
    *,
    dials: bool = False,
    host: str = "",
) -> SocketConnection:
    try:
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # it is gone already: the first receive tells
            pass
        line: Line | None = None
        if access is not None:
            from triort._transport.tls import TlsLine

            line = TlsLine(sock, access, listens=not dials, raw_bytes_max=max_bytes)
        return SocketConnection(sock, name, max_bytes=max_bytes, line=line, host=host)
    except BaseException:
        sock.close()
        raise


def _listen_failure(error: OSError) -> str:
    reason = _reason(error)
    return f"{reason}; choose another port, or 0 for any" if error.errno == errno.EADDRINUSE else reason


def _reason(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
