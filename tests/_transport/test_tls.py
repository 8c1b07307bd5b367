"""TLS below a connection: who is let in, what the other side hears, how it ends."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import pytest
import trio
import trio.testing

from tests._transport.check_connection import receive, send, talk, tls_pair, update
from tests._transport.tls_place import HOST, Place
from tests.access import days, new_authority, write_access
from triort._access.access import Access
from triort._access.certificates import make_authority
from triort._access.making import span_of
from triort._model.errors import NotTrusted, ProtocolError
from triort._model.roles import Badge
from triort._transport.sockets import SocketConnection
from triort._transport.tcp import close_listener, listen_tcp


async def fault(conn: SocketConnection) -> str:
    """Why this end does not trust the other one."""
    with pytest.raises(NotTrusted) as caught:
        await conn.receive()
    with pytest.raises(NotTrusted):
        await conn.receive()
    assert "\n" not in str(caught.value)
    return str(caught.value).partition(": ")[2]


async def both_faults(near: SocketConnection, far: SocketConnection) -> tuple[str, str]:
    """What the dialler says of the listener, and the other way round."""
    said: dict[str, str] = {}

    async def ask(name: str, conn: SocketConnection) -> None:
        if name == "far":
            conn.flush_nowait()
        said[name] = await fault(conn)
        conn.close()

    near.flush_nowait()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "near", near)
        nursery.start_soon(ask, "far", far)
    return said["near"], said["far"]


# -- who is let in -----------------------------------------------------------------------------------------------


async def test_both_ends_know_cluster_and_role_of_the_other(folder: Path, place: Place) -> None:
    near, far = await place.meet(Access(Badge.CLIENT, folder))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.secure)
        nursery.start_soon(far.secure)
    assert (near.badge, far.badge) == (Badge.SERVER, Badge.CLIENT)
    assert near.cluster == far.cluster == place.access.load().file.cluster
    for conn in (near, far):
        conn.close()


async def test_it_is_tls_1_3_and_nothing_can_be_resumed(folder: Path, place: Place) -> None:
    near, far = await place.meet(Access(Badge.CLIENT, folder))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.secure)
        nursery.start_soon(far.secure)
    send(far, update(1))
    await receive(near, 1)
    tls = near._line._tls  # type: ignore[attr-defined]
    assert tls.version() == "TLSv1.3"
    assert not tls.session.has_ticket
    for conn in (near, far):
        conn.close()


async def test_another_cluster_is_told_on_both_sides(tmp_path: Path, place: Place) -> None:
    other = write_access(tmp_path / "b", new_authority())
    near, far = await place.meet(Access(Badge.CLIENT, other))
    theirs, ours = Access(Badge.CLIENT, other).load().file.cluster, place.access.load().file.cluster
    assert await both_faults(near, far) == (
        "it is of another cluster",
        f"it looks for the cluster {theirs!a}, and this is {ours}",
    )


async def test_old_files_are_told_on_both_sides(tmp_path: Path, place: Place) -> None:
    same_name = make_authority(place.access.load().file.cluster, span_of(10))
    near, far = await place.meet(Access(Badge.CLIENT, write_access(tmp_path / "b", same_name)))
    theirs, ours = await both_faults(near, far)
    assert "or one of both has old access files" in theirs
    assert "does not know the authority" in ours


async def test_a_client_cannot_listen_with_its_certificate(folder: Path) -> None:
    access = Access(Badge.CLIENT, folder)
    [listener] = await listen_tcp(HOST, 0, access)
    near, far = await Place(listener, access).meet(Access(Badge.NODE, folder))
    assert await both_faults(near, far) == (
        "its certificate is for another role",
        "it finds this side's certificate to be for another role",
    )
    close_listener(listener)


@pytest.mark.parametrize(
    ("start", "end", "theirs", "ours"),
    [
        (-3, -1, "it finds this side's certificate expired; is its clock right, and the one here?", "has expired"),
        (
            1,
            3,
            "it finds this side's certificate not valid yet; is its clock right, and the one here?",
            "not valid yet",
        ),
    ],
)
async def test_a_certificate_out_of_its_time_is_told_on_both_sides(
    tmp_path: Path, place: Place, start: int, end: int, theirs: str, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = make_authority(place.access.load().file.cluster, days(-5, 5))
    trusting = write_access(tmp_path / "b", authority)
    access = Access(Badge.SERVER, trusting)
    [listener] = await listen_tcp(HOST, 0, access)
    late = Access(Badge.CLIENT, write_access(tmp_path / "c", authority, span=days(start, end)))
    monkeypatch.setattr(Access, "_check_dates", lambda *_: None)
    near, far = await Place(listener, access).meet(late)
    said = await both_faults(near, far)
    assert said[0] == theirs
    assert ours in said[1]
    close_listener(listener)


async def test_a_rotation_is_seen_by_who_is_running(folder: Path, place: Place) -> None:
    client = Access(Badge.CLIENT, folder)
    client.load()
    write_access(folder, make_authority(place.access.load().file.cluster, span_of(10)))
    near, far = await place.meet(client)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.secure)
        nursery.start_soon(far.secure)
    for conn in (near, far):
        conn.close()


# -- strangers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, os.urandom(4_000), b"\x80\x04\x95" * 50])
async def test_who_speaks_no_tls_is_told_so(place: Place, words: bytes) -> None:
    sock, far = await place.meet_stranger()
    sock.sendall(words)
    assert (await fault(far)).startswith("it does not speak the TLS of triort")
    far.close()
    sock.close()


async def test_before_the_end_of_the_handshake_nothing_of_what_waits_is_sent(place: Place) -> None:
    sock, far = await place.meet_stranger()
    send(far, update(1))
    far.flush_nowait()
    await trio.testing.wait_all_tasks_blocked()
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recv(1)
    far.close()
    sock.close()


async def test_the_bytes_of_a_handshake_are_bounded(place: Place) -> None:
    sock, far = await place.meet_stranger()
    sock.setblocking(False)
    hello = b"\x01" + (130_000).to_bytes(3, "big") + b"\x03\x03"  # a ClientHello that goes on and on
    words = memoryview(
        b"".join(b"\x16\x03\x01\x40\x00" + hello.ljust(1 << 14, b"\0") for hello in (hello, *[b""] * 20))
    )
    fault, sent = "", 0
    while not fault:
        try:
            sent += sock.send(words[sent:])
        except BlockingIOError:
            pass
        try:
            assert far.receive_nowait() == []
        except ProtocolError as exc:
            fault = str(exc)
    assert "more bytes than a peer may send before it is let in" in fault
    assert far._line._raw_room == 0  # type: ignore[attr-defined]
    far.close()
    sock.close()


async def test_a_peer_without_a_certificate_is_told_so(place: Place) -> None:
    loaded = place.access.load()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=loaded.file.authorities)
    sock, far = await place.meet_stranger()

    def speak() -> None:
        with (
            sock,
            pytest.raises(ssl.SSLError, match="certificate required"),
            context.wrap_socket(sock, server_hostname=loaded.server_name) as tls,
        ):
            tls.recv(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, speak)
        assert await fault(far) == "it has shown no certificate"
        far.close()


# -- how it ends -------------------------------------------------------------------------------------------------


async def test_an_end_that_is_not_said_is_a_break(tmp_path: Path) -> None:
    near, far = await tls_pair(tmp_path)
    send(near, talk(b"x"))
    near._sock.shutdown(socket.SHUT_RDWR)
    assert await receive(far, 1) == [talk(b"x")]
    with pytest.raises(trio.BrokenResourceError, match="the connection was cut"):
        await far.receive()
    near.close()
    far.close()


async def test_a_changed_byte_is_a_break_of_the_connection(tmp_path: Path) -> None:
    near, far = await tls_pair(tmp_path)
    near._sock.send(b"\x17\x03\x03\x00\x40" + b"\0" * 64)
    with pytest.raises(trio.BrokenResourceError, match="what has come was changed on its way"):
        await far.receive()
    near.close()
    far.close()


async def test_a_writer_does_not_spin_during_the_handshake(folder: Path, place: Place) -> None:
    near, far = await place.meet(Access(Badge.CLIENT, folder))
    near.send_nowait(*update(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        near.flush_nowait()
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.start_soon(near.secure)
        assert await receive(far, 1) == [update(1)]
        nursery.cancel_scope.cancel()
    near.close()
    far.close()
