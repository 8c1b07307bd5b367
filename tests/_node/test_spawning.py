"""The boss's side of the template: many spawns, cancelled spawns, what is left, pages and pokes."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import trio
import trio.testing

from tests._node.template_helpers import (
    children_of,
    exists,
    exit_of,
    hear,
    open_fds,
    spawn,
    wait_dead,
    wait_until,
)
from triort._model.errors import StartupError, UsageError
from triort._node import spawning
from triort._node.page import DEADLINE_NS
from triort._node.spawning import open_template

pytestmark = pytest.mark.processes


async def test_twenty_workers_leave_no_fd_behind_and_inherit_none() -> None:
    before = open_fds()
    async with open_template() as template:
        (await spawn(template, 0, "wait")).close()
        await exit_of(template)
        between = open_fds()
        kept = await spawn(template, 100, "wait")
        numbers = set()
        for node_id in range(1, 21):
            worker = await spawn(template, node_id, "facts")
            told = await hear(worker)
            assert set(told["fds"]) - {str(fd) for fd in told["own"]} <= {"0", "1", "2", *unlinked(told["fds"])}
            assert told["fds"]["0"] == "/dev/null"
            numbers.add(told["random"])
            await exit_of(template)
            worker.close()
        assert len(numbers) == 20  # random was seeded anew
        kept.close()
        await exit_of(template)
        assert open_fds() == between
        await spawn(template, 200, "wait")  # is left for the template to close
    assert open_fds() == before


def unlinked(fds: dict[str, str]) -> list[str]:
    """The fd of the listing that shows them."""
    return [name for name, target in fds.items() if target.startswith("/proc/")]


async def test_workers_can_be_spawned_by_several_tasks_at_once() -> None:
    async with open_template() as template:
        pids: dict[int, int] = {}

        async def one(node_id: int) -> None:
            worker = await spawn(template, node_id, "wait")
            pids[node_id] = worker.pid
            assert (await hear(worker))["pid"] == worker.pid
            worker.close()

        async with trio.open_nursery() as nursery:
            for node_id in range(16):
                nursery.start_soon(one, node_id)
        ended = [await exit_of(template) for _ in range(16)]
        assert {it.node_id: it.pid for it in ended} == pids
        assert {it.exit_code for it in ended} == {0}


async def test_an_exit_comes_after_the_spawn_that_made_the_worker() -> None:
    async with open_template() as template, trio.open_nursery() as nursery:
        known: set[int] = set()

        async def one(node_id: int) -> None:
            await spawn(template, node_id, "leave")
            known.add(node_id)

        for node_id in range(30):
            nursery.start_soon(one, node_id)
        for _ in range(30):
            assert (await exit_of(template)).node_id in known


async def test_an_id_that_is_taken_is_refused() -> None:
    async with open_template() as template:
        await spawn(template, 1, "wait")
        with pytest.raises(UsageError, match="a worker with the id 1 already"):
            await spawn(template, 1, "wait")


async def test_a_worker_that_cannot_be_told_its_path_is_refused() -> None:
    async with open_template() as template:
        with pytest.raises(UsageError, match="shorten its sys_path"):
            await template.spawn(1, sys_path=["x" * 100_000])


async def test_a_spawn_that_is_cancelled_at_any_moment_leaves_nothing() -> None:
    async with open_template() as template:
        keeper = await spawn(template, 0, "wait")
        before = open_fds()
        made = []
        for moment in range(1, 61):
            with trio.move_on_after(moment * 50e-6):
                made.append(await spawn(template, moment, "wait"))
            if made and made[-1].node_id == moment:
                made[-1].kill()
                made[-1].close()
                assert (await exit_of(template)).node_id == moment
            await wait_until(lambda: not template._requests)
            assert open_fds() == before
        assert 0 < len(made) < 60
        assert children_of(template.pid) == [keeper.pid]


@pytest.mark.parametrize(("room", "line"), [*((room, "no link") for room in range(1, 6)), (6, "no room for the pidfd")])
async def test_a_boss_out_of_files_gets_an_error_and_no_worker(room: int, line: str) -> None:
    async with open_template() as template:
        await spawn(template, 0, "wait")
        with few_files(room):
            before = open_fds()
            with pytest.raises(StartupError, match=line):
                await spawn(template, 1, "wait")
            await wait_until(lambda: not template._requests)
            assert open_fds() == before
        assert len(children_of(template.pid)) == 1
        await spawn(template, 1, "wait")


@contextmanager
def few_files(room: int) -> Iterator[None]:
    """This process can open ``room`` more files."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (sum(open_fds().values()) + 64, limits[1]))
        files = []
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                files.append(stack.enter_context(open(os.devnull)))
        for file in files[:room]:
            file.close()
        yield


async def test_a_spawn_that_takes_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawning, "START_S", 0.05)
    async with open_template() as template:
        os.kill(template.pid, signal.SIGSTOP)
        with pytest.raises(StartupError, match=r"has not started worker 1 within 0\.05 s"):
            await spawn(template, 1, "wait")
        os.kill(template.pid, signal.SIGCONT)
        await wait_until(lambda: not template._requests)
        assert children_of(template.pid) == []


async def test_a_context_that_is_cancelled_at_once_leaves_nothing() -> None:
    before = open_fds()
    with trio.CancelScope() as scope:
        async with open_template() as template:
            pid = template.pid
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert not exists(pid)
    assert open_fds() == before


async def test_an_error_in_the_body_comes_out_as_it_is() -> None:
    pids: list[int] = []

    async def run() -> None:
        async with open_template() as template:
            pids.extend((template.pid, *(await hear(await spawn(template, 1, "family"))).values()))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run()
    assert not exists(pids[0])
    await wait_dead(*pids)


async def test_a_template_that_is_stuck_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triort._node.template_process.SHUTDOWN_S", 0.05)
    async with open_template() as template:
        pids = await hear(await spawn(template, 1, "family"))
        os.kill(template.pid, signal.SIGSTOP)
    await wait_dead(*pids.values())


async def test_a_boss_that_reads_slowly_gets_every_report() -> None:
    async with open_template() as template, trio.open_nursery() as nursery:
        await spawn(template, 300, "wait")
        for node_id in range(300):
            nursery.start_soon(spawn, template, node_id, "leave")
        await trio.testing.wait_all_tasks_blocked()
        time.sleep(0.5)  # noqa: ASYNC251  # the whole boss is busy; the socket holds fewer reports than there are
        ended = [(await exit_of(template)).node_id for _ in range(300)]
        assert sorted(ended) == list(range(300))


async def test_the_page_is_shared_both_ways() -> None:
    async with open_template() as template:
        worker = await spawn(template, 1, "share")
        worker.page.words[DEADLINE_NS] = 1 << 40
        worker.sock.send(b"g")
        assert (await hear(worker))["on_cpu"] == 2 << 40
        assert (worker.page.on_cpu, worker.page.steps, worker.page.mail_read) == (2 << 40, 1, 3)


async def test_a_poke_arrives_while_the_worker_spins() -> None:
    async with open_template() as template:
        worker = await spawn(template, 1, "await_poke")
        await hear(worker)
        worker.poke()
        assert await hear(worker) == {"poked": True}
        worker.kill()
        await exit_of(template)
        worker.poke()  # nothing happens
        worker.close()
        worker.poke()
        worker.close()


async def test_a_poke_that_comes_too_early_does_no_harm() -> None:
    async with open_template() as template:
        worker = await spawn(template, 1, "ignore_poke")
        worker.poke()
        await hear(worker)
        worker.poke()
        worker.sock.send(b"g")
        assert (await exit_of(template)).exit_code == 9
