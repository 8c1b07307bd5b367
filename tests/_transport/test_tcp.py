"""Listening, dialling and addresses."""

import errno
import socket
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from triort._access.access import Access
from triort._model import messages as m
from triort._model.errors import StartupError, UsageError
from triort._model.ids import JobId
from triort._model.limits import ACCEPT_WAIT_S, DIAL_WAIT_FIRST_S, DIAL_WAIT_GROWTH, DIAL_WAIT_MAX_S
from triort._model.roles import Badge
from triort._transport.endpoints import parse_endpoint
from triort._transport.sockets import SocketConnection
from triort._transport.tcp import accept_tcp, close_listener, dial_tcp, listen_tcp

# -- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("localhost:80", ("localhost", 80)),
        ("127.0.0.1:65535", ("127.0.0.1", 65535)),
        ("localhost", ("localhost", 7777)),
        ("[::1]:80", ("::1", 80)),
        ("[::1]", ("::1", 7777)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, endpoint: tuple[str, int]) -> None:
    assert parse_endpoint(text, 7777) == endpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "a:",
        "a:b",
        "a:0",
        "a:65536",
        "a:-1",
        "a:+1",
        "a: 1",
        "a:1:2",
        "::1",
        "[::1",
        "[::1]80",
        "[]:1",
        "a:1\n",
        "a b:1",
        "a\x00:1",
        "a:\u0661",
        "a:" + "9" * 5_000,
        "x" * 5_000 + ":x",
    ],
)
def test_a_malformed_address_is_refused_in_one_short_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_endpoint(text, 7777)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_address_without_a_port_needs_a_default() -> None:
    with pytest.raises(UsageError, match="names no port"):
        parse_endpoint("localhost")


def test_port_zero_is_allowed_where_any_will_do() -> None:
    assert parse_endpoint("localhost:0", any_port=True) == ("localhost", 0)


# -- listening ---------------------------------------------------------------------------------------------------


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


async def connected() -> tuple[SocketConnection, SocketConnection]:
    [listener] = await listen_tcp("127.0.0.1", 0)
    near = await dial_tcp("127.0.0.1", port_of(listener), timeout_s=5)
    far = await accept_tcp(listener)
    close_listener(listener)
    return near, far


async def test_both_ends_send_at_once_without_delay() -> None:
    near, far = await connected()
    for connection in (near, far):
        with socket.socket(fileno=connection._sock.fileno()) as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            sock.detach()
        connection.close()


async def test_all_addresses_of_a_name_share_one_port() -> None:
    listeners = await listen_tcp("localhost", 0)
    assert len({port_of(listener) for listener in listeners}) == 1
    for listener in listeners:
        close_listener(listener)


async def test_a_port_in_use_is_named() -> None:
    [listener] = await listen_tcp("127.0.0.1", 0)
    port = port_of(listener)
    with pytest.raises(StartupError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: address already in use; "):
        await listen_tcp("127.0.0.1", port)
    close_listener(listener)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
async def test_without_access_only_loopback_is_listened_on_or_dialled(host: str) -> None:
    with pytest.raises(UsageError, match="not a loopback address"):
        await listen_tcp(host, 0)
    with pytest.raises(UsageError, match="not a loopback address"):
        await dial_tcp(host, 1, timeout_s=5)


async def test_with_access_any_address_may_be_named() -> None:
    [listener] = await listen_tcp("0.0.0.0", 0, Access(Badge.SERVER))
    close_listener(listener)


@pytest.mark.parametrize("host", ["a..b", "x" * 300])
async def test_what_cannot_be_a_name_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="not a host name"):
        await listen_tcp(host, 0)


async def test_an_unknown_name_is_a_startup_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", fail)
    with pytest.raises(StartupError, match="cannot listen on nowhere:5: Name"):
        await listen_tcp("nowhere", 5)
    with pytest.raises(StartupError, match="cannot connect to nowhere:5: Name"):
        await dial_tcp("nowhere", 5, timeout_s=5)


async def test_closing_a_listener_wakes_who_accepts() -> None:
    [listener] = await listen_tcp("127.0.0.1", 0)

    async def accept() -> None:
        for _ in range(2):
            with pytest.raises(trio.ClosedResourceError):
                await accept_tcp(listener)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked()
        close_listener(listener)
        close_listener(listener)


class ExhaustedListener:
    """A listener that runs out of descriptors a few times."""

    def __init__(self, listener: socket.socket, failures: list[int]) -> None:
        self.listener = listener
        self.failures = failures

    def fileno(self) -> int:
        return self.listener.fileno()

    def accept(self) -> object:
        if self.failures:
            raise OSError(self.failures.pop(), "no")
        return self.listener.accept()


async def test_a_lack_of_descriptors_neither_ends_nor_spins_a_listener(autojump_clock: MockClock) -> None:
    [listener] = await listen_tcp("127.0.0.1", 0)
    near = await dial_tcp("127.0.0.1", port_of(listener), timeout_s=5)
    before = trio.current_time()
    failures = [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED]
    far = await accept_tcp(ExhaustedListener(listener, failures))  # type: ignore[arg-type]
    assert trio.current_time() - before == pytest.approx(2 * ACCEPT_WAIT_S)
    for closable in (near, far, listener):
        closable.close()


# -- dialling ----------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return port_of(sock)


async def test_dialling_goes_on_with_growing_waits_until_the_time_is_over(autojump_clock: MockClock) -> None:
    port, attempts = free_port(), list[tuple[int, str, float]]()

    def note(attempt: int, reason: str) -> None:
        attempts.append((attempt, reason, trio.current_time()))

    with pytest.raises(StartupError, match=rf"^cannot connect to 127\.0\.0\.1:{port}: connection refused"):
        await dial_tcp("127.0.0.1", port, timeout_s=30, on_retry=note)
    times = [time for _, _, time in attempts]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert [attempt for attempt, _, _ in attempts] == list(range(1, len(attempts) + 1))
    assert {reason for _, reason, _ in attempts} == {"connection refused"}
    assert waits[0] == pytest.approx(DIAL_WAIT_FIRST_S)
    assert waits[1] == pytest.approx(DIAL_WAIT_FIRST_S * DIAL_WAIT_GROWTH)
    assert waits[-1] == pytest.approx(DIAL_WAIT_MAX_S)


async def test_a_listener_that_comes_late_is_found(autojump_clock: MockClock) -> None:
    port, listeners = free_port(), list[socket.socket]()

    def start_listening(attempt: int, _: str) -> None:
        if attempt == 3:
            listeners.append(socket.create_server(("127.0.0.1", port)))

    connection = await dial_tcp("127.0.0.1", port, timeout_s=30, on_retry=start_listening)
    assert connection.name == f"127.0.0.1:{port}"
    connection.close()
    listeners[0].close()


async def test_a_cancelled_dial_leaves_nothing_open(autojump_clock: MockClock) -> None:
    with trio.move_on_after(3) as scope:
        await dial_tcp("127.0.0.1", free_port(), timeout_s=30)
    assert scope.cancelled_caught


async def test_a_connection_to_itself_counts_as_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = port_of(sock)
        monkeypatch.setattr("triort._transport.tcp.socket.socket", lambda *_: sock)
        with pytest.raises(StartupError, match="connection refused"):
            await dial_tcp("127.0.0.1", port, timeout_s=0.01)


async def test_input_is_limited_until_the_limit_is_lifted() -> None:
    near, far = await connected()
    text = m.Print(JobId(1), "stdout", "x" * 100_000)
    near.send_nowait(text)
    near.flush_nowait()
    with pytest.raises(Exception, match="let in"):
        while True:
            await far.receive()
    far.send_nowait(text)
    far.flush_nowait()
    near.lift_limit()
    assert await near.receive() == [(text, [])]
    near.close()
    far.close()
