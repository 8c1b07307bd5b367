"""Interrupts reach the task that they are meant for, in its own frames, and no other."""

import _weakrefset
import os
import random
import signal
import sys
import time
from typing import Any

import pytest
import trio

import triort
from tests._client import jobs, parents
from triort._node.interrupts import Allowed, allowed_for, files_above

processes = pytest.mark.processes


async def poke_at_random(client: triort.Client, rng: random.Random) -> None:
    """SIGUSR1 to all workers, at random times, until cancelled."""
    pids = [worker.pid for worker in (await client.status()).employees]
    while True:
        await trio.sleep(rng.expovariate(1 / 0.002))
        for pid in pids:
            os.kill(pid, signal.SIGUSR1)


async def cancel_spins(client: triort.Client, rng: random.Random, count: list[int]) -> None:
    """Start tasks that keep the CPU, and cancel each after a random while, until cancelled."""
    while True:
        with trio.move_on_after(rng.uniform(0.001, 0.02)) as scope:
            await client.run(jobs.spin)
        assert scope.cancelled_caught
        count[0] += 1


@processes
async def test_100_000_short_tasks_among_pokes_and_cancels_of_others_are_never_interrupted():
    rng, cancelled = random.Random(7), [0]
    async with triort.open_cluster(2) as client:
        with trio.fail_after(100):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(poke_at_random, client, rng)
                nursery.start_soon(cancel_spins, client, rng, cancelled)
                for _ in range(10):
                    assert await client.map(jobs.square, range(8_000)) == [i * i for i in range(8_000)]
                    assert await client.map(jobs.async_square, range(1_000)) == [i * i for i in range(1_000)]
                    assert await client.run(parents.sync_tree, 3, 10) == 1_111
                while cancelled[0] < 50:
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
            assert (await client.status()).tasks == 0


@processes
async def test_an_import_is_never_interrupted():
    rng = random.Random(11)
    async with triort.open_cluster(1) as client:
        with trio.fail_after(60):
            for _ in range(40):
                start = time.perf_counter()
                with trio.move_on_after(rng.uniform(0.005, 0.03)):
                    await client.run(jobs.import_for_ever)
                assert time.perf_counter() - start < 3.0
                assert await client.run(jobs.find_half_made_modules) == []


OURS = os.path.dirname(triort.__file__) + "/_node/runtime.py"
TRIOS = trio.__file__


@pytest.mark.parametrize(
    ("files", "allowed"),
    [
        ([], Allowed.NOTHING),
        (["user.py", "lib.py"], Allowed.INTERRUPT),
        (["<frozen importlib._bootstrap>", "user.py"], Allowed.MAIL),
        (["lib.py", "<frozen importlib._bootstrap_external>", "user.py"], Allowed.MAIL),
        ([_weakrefset.__file__, "user.py"], Allowed.MAIL),
        ([OURS, "user.py"], Allowed.NOTHING),
        (["lib.py", TRIOS, "user.py"], Allowed.NOTHING),
        (["<frozen importlib._bootstrap>", OURS], Allowed.NOTHING),
    ],
)
def test_what_a_poke_may_do_depends_on_the_files_above_the_users_frame(files, allowed):
    assert allowed_for(files) is allowed


LOOP: dict[str, Any] = {}
exec(compile("def call(fn): return fn()\ndef step(coro): coro.send(None)", TRIOS, "exec"), LOOP)


def test_a_plain_function_that_trios_loop_calls_between_two_steps_is_no_code_of_the_task():
    boundary = {LOOP["call"].__code__, LOOP["step"].__code__}

    async def task() -> None:
        seen.append(files_above(sys._getframe(), boundary))
        await trio.lowlevel.cancel_shielded_checkpoint()

    seen: list[Any] = []
    assert LOOP["call"](lambda: files_above(sys._getframe(), boundary)) == []
    coro = task()
    LOOP["step"](coro)
    coro.close()
    assert seen == [[__file__]]
