"""What a simulated cluster does for a test: clients, virtual time, faults by name, the end of everything."""

import uuid
from pathlib import Path

import pytest
import trio

import triort
from tests.testing.sim_workflows import compute_for, nested, sleep_for, square, sum_of_squares
from triort._model.errors import UsageError
from triort.testing import Faults, Sim, SimulatedTestFailed, compute, sim_test


@sim_test(seeds=3)
async def test_time_is_virtual(sim: Sim) -> None:
    assert sim.time() == 0.0
    async with sim.client() as client:
        assert await client.run(sleep_for, 3600.0) == 3600.0
    assert 3600.0 < sim.time() < 3600.1
    await sim.sleep(86400.0)
    assert sim.time() > 90000.0


def test_chance_is_the_same_for_the_same_seed_and_else_not() -> None:
    drawn: list[tuple[float, uuid.UUID]] = []

    @sim_test(seeds=3)
    async def draw(sim: Sim) -> None:
        drawn.append((sim.rng.random(), sim.uuid4()))
        await sim.sleep(0)

    draw()
    assert len(drawn) == 4  # the first seed runs twice
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3
    assert drawn[0][1].version == 4


@sim_test(seeds=3, durations={square: 2.0})
async def test_a_sync_function_takes_as_long_as_it_is_said_to(sim: Sim) -> None:
    async with sim.client() as client:
        await client.run(square, 1)
        assert 2.0 < sim.time() < 2.1
        await client.map(square, range(4))
        assert 4.0 < sim.time() < 4.2  # there are four workers


@sim_test(seeds=3, durations={compute_for: 0.0})
async def test_compute_takes_virtual_time_in_sync_tasks(sim: Sim) -> None:
    async with sim.client() as client:
        await client.run(compute_for, 5.0)
    assert 5.0 < sim.time() < 5.1


async def compute_in_async_task() -> None:
    compute(1.0)


@sim_test(seeds=1)
async def test_compute_is_not_for_async_tasks(sim: Sim) -> None:
    async with sim.client() as client:
        with pytest.raises(triort.UsageError, match=r"use: await trio\.sleep"):
            await client.run(compute_in_async_task)


def test_outside_of_simulations_compute_does_nothing() -> None:
    compute(1000.0)


@sim_test(seeds=10, levels=(2, 2))
async def test_a_crash_of_a_worker_costs_an_attempt(sim: Sim) -> None:
    async with sim.client() as client:
        job = await client.submit(sum_of_squares, 20)
        await sim.sleep(0.01)
        sim.crash("m0.w1")
        assert "m0.w1" not in sim.workers
        assert await job.result() == sim.oracle(sum_of_squares, 20)
        await sim.sleep(1.0)
        assert len(sim.workers) == 4
        assert "m0.w3" in sim.workers
    await sim.quiescent()


@sim_test(seeds=10, levels=(3, 2))
async def test_managers_may_crash_be_cut_and_close(sim: Sim) -> None:
    async with sim.client() as client:
        job = await client.submit(nested, 8)
        await sim.sleep(0.01)
        sim.rng.choice([sim.crash, sim.cut, sim.close])("m1")
        sim.rng.choice([sim.cut, sim.close, sim.corrupt])("m2.w1")
        assert await job.result() == sim.oracle(nested, 8)
        assert {"m0", "m2"} <= set(sim.managers)
    await sim.quiescent()


@sim_test(seeds=5, levels=(2, 2))
async def test_what_is_clogged_comes_through_when_healed(sim: Sim) -> None:
    async with sim.client() as client:
        sim.clog("m0")
        sim.clog("m1")
        job = await client.submit(sum_of_squares, 6)
        await sim.sleep(4.0)
        assert (await job.status()).state == "running"
        sim.heal()
        assert await job.result() == 55
    assert 4.0 < sim.time() < 5.0
    await sim.quiescent()


@sim_test(seeds=3, levels=(1,), durations={square: 1.0})
async def test_a_slow_node_is_slow_until_healed(sim: Sim) -> None:
    async with sim.client() as client:
        sim.slow("s.w1", 10.0)
        await client.run(square, 1)
        assert 10.0 < sim.time() < 10.5
        sim.heal()
        await client.run(square, 1)
        assert 11.0 < sim.time() < 11.5


@sim_test(seeds=5, levels=(2, 2))
async def test_workers_and_managers_may_join(sim: Sim) -> None:
    sim.join_worker("m0")
    sim.join_manager("s", workers=3)
    await sim.sleep(5.0)
    assert len(sim.managers) == 3
    assert len(sim.workers) == 8
    async with sim.client() as client:
        assert await client.run(nested, 5) == sim.oracle(nested, 5)


@sim_test(seeds=3)
async def test_the_crash_of_the_server_is_told_to_clients(sim: Sim) -> None:
    with pytest.raises(triort.ConnectionLost):
        async with sim.client() as client:
            job = await client.submit(sleep_for, 10.0)
            sim.crash("s")
            await job.result()


@sim_test(seeds=3)
async def test_there_may_be_several_clients(sim: Sim) -> None:
    async with sim.client() as one, sim.client() as other, trio.open_nursery() as nursery:
        assert (await one.status()).num_workers == 4
        nursery.start_soon(one.map, square, range(5))
        assert sorted([pair async for pair in other.as_completed(square, range(3))]) == [(0, 0), (1, 1), (2, 4)]
    await sim.quiescent()


@sim_test(seeds=5)
async def test_a_cancelled_client_call_leaves_nothing_behind(sim: Sim) -> None:
    async with sim.client() as client:
        with trio.move_on_after(1.0) as scope:
            await client.map(sleep_for, [100.0] * 8)
        assert scope.cancelled_caught
        assert sim.time() < 2.0
        job = await client.submit(sleep_for, 100.0)
        await job.cancel()
        with pytest.raises(triort.TaskCancelled):
            await job.result()
    await sim.quiescent()


def test_quiescent_fails_when_something_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    @sim_test(seeds=1)
    async def leave_a_job(sim: Sim) -> None:
        async with sim.client() as client:
            await client.submit(sleep_for, 1000.0)
            await sim.quiescent(within_s=5.0)

    with pytest.raises(SimulatedTestFailed, match=r"still something going on after 5\.0 s"):
        leave_a_job()


@pytest.mark.parametrize("name", ["m7", "m0.w9", "c0", "", "worker"])
def test_a_node_that_is_not_there_cannot_be_hit(name: str) -> None:
    @sim_test(seeds=1)
    async def hit(sim: Sim) -> None:
        sim.crash(name)
        await sim.sleep(0)

    with pytest.raises(triort.UsageError, match=r"there are now: s, m0, m1, m0\.w1, m0\.w2, m1\.w1, m1\.w2$"):
        hit()


@sim_test(seeds=15, levels=(2, 3), faults=Faults.swarm(), span_s=0.2, latency=("wan", "lan", "local"))
async def test_a_workflow_gives_the_same_among_faults(sim: Sim) -> None:
    async with sim.client() as client:
        assert await client.run(nested, 9) == sim.oracle(nested, 9)
    await sim.quiescent(within_s=120)


def compute_twice(seconds: float) -> int:
    compute(seconds)
    compute(seconds)
    return 1


async def compute_beside_each_other(count: int) -> int:
    return sum(await triort.get_runtime().map(compute_twice, [0.5] * count))


@sim_test(seeds=3, levels=(2,))
async def test_several_tasks_compute_at_the_same_time(sim: Sim) -> None:
    async with sim.client() as client:
        assert await client.run(compute_beside_each_other, 6) == 6
    assert sim.time() >= 3.0


@sim_test(seeds=1)
async def test_faults_that_make_no_sense_are_refused(sim: Sim) -> None:
    with pytest.raises(UsageError, match="factor above 0"):
        sim.slow("m0.w1", -1)
    with pytest.raises(UsageError, match="towards 'boss' or 'employee'"):
        sim.corrupt("m0.w1", towards="x")
