"""Nodes and clients that do not belong together: one readable line on both sides, and the node runs on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio

import triort
from tests.access import days, new_authority, write_access
from triort._access.access import Access
from triort._access.making import rotate_folder
from triort._model.errors import AccessError, StartupError
from triort._model.messages import Hello
from triort._model.roles import Badge
from triort._node import handshake
from triort._node.handshake import Stranger
from triort._node.machine import OwnMachine

HOST = "127.0.0.1"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_access(tmp_path / "a", new_authority())


@asynccontextmanager
async def serving(node: triort.Server | triort.Manager) -> AsyncIterator[str]:
    """Its address."""
    listens = trio.Event()
    node.on_listening = lambda _: listens.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        with trio.fail_after(20):
            await listens.wait()
            yield f"{HOST}:{node.port}"
        nursery.cancel_scope.cancel()


async def refused(address: str, access: Path) -> str:
    """What a client is told."""
    with pytest.raises(StartupError) as caught:
        async with triort.open_client(address, access=access):
            pass
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(address, "ADDRESS")


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the node has said, without names and ports."""
    lines = [record.getMessage() for record in caplog.records if record.name != "triort.access"]
    assert not any("\n" in line for line in lines)
    return [re.sub(r"^\S+: ", "NODE: ", re.sub(r"127\.0\.0\.1:\d+", "PEER", line)) for line in lines]


async def test_a_member_is_served(files: Path) -> None:
    async with serving(triort.Server([], 0, access=files)) as address:
        async with triort.open_client(address, access=files) as client:
            assert (await client.status()).kind == "server"
        async with triort.open_client(address, access=files / "client.pem") as client:
            assert (await client.status()).kind == "server"


async def test_a_client_finds_its_server_by_the_access_file(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    async with serving(triort.Server([], 0, access=folder)) as address:
        rotate_folder(folder, address)
        async with triort.open_client(access=folder) as client:
            assert (await client.status()).kind == "server"


async def test_a_client_of_another_cluster(files: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = write_access(tmp_path / "b", new_authority())
    ours, theirs = (Access(Badge.CLIENT, folder).load().file.cluster for folder in (files, other))
    async with serving(triort.Server([], 0, access=files)) as address:
        assert await refused(address, other) == "ADDRESS: it is of another cluster"
        async with triort.open_client(address, access=files) as client:
            await client.status()
    assert logged(caplog) == [f"NODE: PEER: it looks for the cluster '{theirs}', and this is {ours}"]


async def test_a_client_at_a_managers_port(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(triort.Manager(0, ipports=[], access=files)) as address:
        text = "ADDRESS: its certificate is that of a node, and whoever comes as client looks for a server"
        assert await refused(address, files) == text
        with trio.fail_after(20):
            while "closed the connection during the handshake" not in caplog.text:
                await trio.sleep(0.01)


async def test_a_client_without_files_is_told_where_they_come_from(tmp_path: Path) -> None:
    text = await refused(f"{HOST}:1", tmp_path / "none")
    assert text.startswith("there is no access file ")


async def test_another_version_is_told_with_both_values(
    files: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(triort.Server([], 0, access=files)) as address:
        original = handshake.make_hello
        monkeypatch.setattr("triort._client.opening.make_hello", lambda *a, **k: _older(original(*a, **k)))
        text = await refused(address, files)
    assert text == (
        f"ADDRESS refused the connection: triort version '{triort.__version__}' on this side, '0.0' on the other"
    )
    assert logged(caplog) == [
        f"NODE: refused PEER: triort version '{triort.__version__}' on this side, '0.0' on the other"
    ]


def _older(hello: Hello) -> Hello:
    return msgspec.structs.replace(hello, version="0.0")


async def test_a_server_that_starts_with_an_expired_file_does_not_start(tmp_path: Path) -> None:
    old = write_access(tmp_path / "old", new_authority(), span=days(-3, -2))
    with pytest.raises(AccessError, match="has expired on"):
        await triort.Server([], 0, access=old).run()


async def test_links_go_on_over_a_rotation_and_new_ones_go_by_it(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    async with serving(triort.Server([], 0, access=folder)) as address:
        before = write_access(tmp_path / "kept", new_authority(), Badge.CLIENT)
        (before / "client.pem").write_text((folder / "client.pem").read_text())
        async with triort.open_client(address, access=folder) as client:
            rotate_folder(folder)
            await client.status()
            async with triort.open_client(address, access=folder) as another:
                await another.status()
        text = await refused(address, before)
        assert "old access files" in text


async def test_who_does_not_belong_hears_no_word(files: Path, tmp_path: Path) -> None:
    """A node that listens where a client looks for its server: the client asks for the role first."""
    async with serving(triort.Manager(0, ipports=[], access=files)) as address:
        machine = OwnMachine(Badge.CLIENT, files)
        conn = await machine.dial(HOST, int(address.split(":")[1]), timeout_s=5)
        with pytest.raises(Stranger):
            await handshake.greet(conn, handshake.make_hello("client", "c"))
        assert conn.pending_bytes == 0
        conn.close()
