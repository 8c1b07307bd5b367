"""Real nodes and workers over real TCP, with a proxy between them that breaks the links."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

import triort
from tests._node.linked import linger, tree
from tests._node.proxy import Proxy, open_proxy
from triort._client.client import Client
from triort._core import pulse
from triort._core.pulse import Role

pytestmark = pytest.mark.processes


@attrs.define
class Linked:
    """A client, a server and managers; a proxy in front of the server and of each manager."""

    client: Client
    to_server: Proxy
    to_managers: list[Proxy]
    server: triort.Server
    managers: list[triort.Manager]


async def listening(node: triort.Manager | triort.Server, nursery: trio.Nursery) -> int:
    ready = trio.Event()
    node.on_listening = lambda _: ready.set()
    nursery.start_soon(node.run)
    await ready.wait()
    assert node.port is not None
    return node.port


@asynccontextmanager
async def linked(num_managers: int) -> AsyncIterator[Linked]:
    async with trio.open_nursery() as nursery:
        managers = [triort.Manager(port=0, num_workers=2, name=f"m{i}") for i in range(num_managers)]
        proxies: list[Proxy] = []
        for manager in managers:
            port = await listening(manager, nursery)
            proxies.append(await nursery.start(hold, port))
        server = triort.Server([("127.0.0.1", proxy.port) for proxy in proxies], port=0)
        to_server = await nursery.start(hold, await listening(server, nursery))
        async with triort.open_client(f"127.0.0.1:{to_server.port}") as client:
            yield Linked(client, to_server, proxies, server, managers)
        nursery.cancel_scope.cancel()


async def hold(port: int, task_status: trio.TaskStatus[Proxy]) -> None:
    async with open_proxy(port) as proxy:
        task_status.started(proxy)
        await trio.sleep_forever()


def runs(path: Path) -> Counter[str]:
    return Counter(line.rsplit(" ", 1)[0] for line in path.read_text().splitlines())


@pytest.mark.parametrize("cut_s", [0.0, 1.0])
async def test_a_cut_in_the_middle_of_a_nested_job_costs_no_work(tmp_path: Path, cut_s: float) -> None:
    path = tmp_path / "runs"
    with trio.fail_after(60):
        async with linked(2) as nodes, trio.open_nursery() as nursery:
            values: list[int] = []

            async def run() -> None:
                values.append(await nodes.client.run(tree, str(path), "t", 4, 3, 0.01))

            nursery.start_soon(run)
            for proxy in (*nodes.to_managers, nodes.to_server):
                await trio.sleep(0.15)
                proxy.cut()
                await trio.sleep(cut_s)
                proxy.heal()
    assert values == [81]
    counts = runs(path)
    assert len(counts) == 121
    assert set(counts.values()) == {1}


async def test_a_broken_link_is_shown_and_gets_nothing_new(tmp_path: Path) -> None:
    path = str(tmp_path / "runs")
    with trio.fail_after(60):
        async with linked(2) as nodes, trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(nodes.client.run, linger, path, f"{number}", 1.0)
            await trio.sleep(0.3)
            nodes.to_managers[0].cut()
            await trio.sleep(0.1)
            status = await nodes.client.status()
            assert sorted(employee.state for employee in status.employees) == ["", "stalled"]
            nursery.start_soon(nodes.client.run, linger, path, "4", 0.0)
            await trio.sleep(0.1)
            assert "start 4" not in runs(Path(path))  # the workers of the other manager are busy
            nodes.to_managers[0].heal()
    assert set(runs(Path(path)).values()) == {1}


@pytest.fixture
def quick_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything about silence goes 20 times as fast."""
    for name in ("HEARTBEAT_S", "STALL_S"):
        monkeypatch.setattr(pulse, name, getattr(pulse, name) / 20)
    monkeypatch.setattr(pulse, "PATIENCE_S", {role: patience / 20 for role, patience in pulse.PATIENCE_S.items()})
    assert pulse.PATIENCE_S[Role.BOSS] == 1.5


async def test_a_freeze_past_the_session_time_ends_it_on_both_sides(tmp_path: Path, quick_pulse: None) -> None:
    path = tmp_path / "runs"
    with trio.fail_after(60):
        async with linked(2) as nodes, trio.open_nursery() as nursery:
            run = partial(nodes.client.run, linger, str(path), seconds=1_000)
            async with trio.open_nursery() as jobs:
                for number in range(2):
                    jobs.start_soon(partial(run, f"{number}"))
                while len(runs(path) if path.exists() else {}) < 2:
                    await trio.sleep(0.01)
                held = [len(employee.link.sent) for employee in nodes.server.employees]
                assert held == [1, 1]
                nodes.to_managers[0].freeze()
                while sum(count for name, count in runs(path).items() if name.startswith("start")) < 3:
                    await trio.sleep(0.01)
                stopped = [name for name in runs(path) if name.startswith("cancelled")]
                assert len(stopped) == 1  # before its task ran elsewhere it had stopped
                nodes.to_managers[0].heal()
                while len(nodes.server.employees) < 2:
                    await trio.sleep(0.01)  # it is another incarnation
                jobs.cancel_scope.cancel()
            nursery.cancel_scope.cancel()


async def test_a_frozen_client_resumes_and_a_lost_one_costs_its_jobs(tmp_path: Path, quick_pulse: None) -> None:
    path = tmp_path / "runs"
    with trio.fail_after(60):
        async with linked(1) as nodes:
            nodes.to_server.cut()
            await trio.sleep(0.3)
            nodes.to_server.heal()
            assert await nodes.client.run(tree, str(path), "a", 0, 0, 0.0) == 1
            job = await nodes.client.submit(linger, str(path), "b", 1_000)
            while runs(path)["start b"] < 1:
                await trio.sleep(0.01)
            nodes.to_server.freeze()
            while runs(path)["cancelled b"] < 1:
                await trio.sleep(0.01)
            with pytest.raises(triort.ConnectionLost):
                await job.result()
