"""What goes wrong gets one clear line, and the cluster lives on."""

import importlib
import threading

import pytest
import trio

import triort
from tests._client import jobs, parents

pytestmark = pytest.mark.processes


@pytest.fixture
async def client():
    async with triort.open_cluster(2) as client:
        with trio.fail_after(60):
            yield client
            assert await client.run(jobs.square, 3) == 9  # nothing above has harmed it


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException"])
@pytest.mark.parametrize("fn", [jobs.raise_named, jobs.raise_named_async])
async def test_whatever_a_task_raises_comes_home(client, fn, name):
    with pytest.raises(triort.RemoteError) as caught:
        await client.run(fn, name)
    assert caught.value.type_name == name


async def test_an_exception_that_cannot_be_pickled_arrives_as_remote_error(client):
    with pytest.raises(triort.RemoteError, match="Odd: 1-2") as caught:
        await client.run(jobs.fail_oddly)
    assert "fail_oddly" in caught.value.traceback


async def test_a_result_that_cannot_be_pickled_is_named(client):
    with pytest.raises(triort.RemoteError, match=r"the result \(lock\) cannot be pickled"):
        await client.run(jobs.get_lock)


async def test_a_lambda_can_travel_both_ways(client):
    assert (await client.run(jobs.get_lambda))() == 42
    assert await client.run(lambda x: x + 1, 1) == 2


async def test_what_cannot_be_pickled_is_named_where_it_is_submitted(client):
    with pytest.raises(triort.UsageError, match=r"argument 1 of square \(lock\) cannot be pickled"):
        await client.run(jobs.square, threading.Lock())
    with pytest.raises(triort.UsageError, match=r"argument 'x' of square \(lock\) cannot be pickled"):
        await client.run(jobs.square, x=threading.Lock())
    lock = threading.Lock()
    with pytest.raises(triort.UsageError, match=r"the function .* cannot be pickled"):
        await client.run(lambda: lock)
    assert "argument 1 of square (lock) cannot be pickled" in await client.run(parents.submit_a_lock)


async def test_something_that_is_no_function_is_refused(client):
    with pytest.raises(triort.UsageError, match="a task needs a function, not 3"):
        await client.run(3)


async def test_a_module_that_the_worker_cannot_import_is_named_with_where_it_looked(client, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def answer():\n    return 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    only_here = importlib.import_module("only_here")
    with pytest.raises(ModuleNotFoundError, match=r"the worker cannot import 'only_here'; it looked in '"):
        await client.run(only_here.answer)


async def test_endless_recursion_is_an_error_of_its_task(client):
    with pytest.raises(RecursionError):
        await client.run(jobs.recurse)


async def test_a_future_cannot_travel(client):
    assert "cannot be pickled: await it and pass its value" in await client.run(parents.submit_a_future)


def test_the_runtime_is_refused_outside_a_task():
    with pytest.raises(triort.UsageError, match="inside a task only"):
        triort.get_runtime()


async def test_the_runtime_is_refused_in_a_thread(client):
    assert "not in a thread" in await client.run(parents.get_runtime_in_thread)


async def test_a_task_that_kills_its_worker_is_told_about(client):
    with pytest.raises(triort.TaskCrashed, match="exit code 7 after 3 attempts"):
        await client.run(jobs.exit_process)


async def test_a_worker_that_dies_costs_the_other_tasks_nothing(client):
    results: list[object] = []
    async with trio.open_nursery() as nursery:

        async def crash() -> None:
            with pytest.raises(triort.TaskCrashed):
                await client.run(jobs.exit_process)

        async def work() -> None:
            results.extend(await client.map(jobs.async_square, range(2_000)))

        nursery.start_soon(work)
        nursery.start_soon(crash)
    assert results == [i * i for i in range(2_000)]


@pytest.mark.parametrize("num_workers", [0, -2, True, 1.5])
def test_impossible_numbers_of_workers_are_refused(num_workers):
    with pytest.raises(triort.UsageError, match="num_workers"):
        triort.run(jobs.square, 1, num_workers=num_workers)


@pytest.mark.parametrize("port", [-1, 65_536, "7473"])
def test_impossible_ports_are_refused(port):
    with pytest.raises(triort.UsageError, match="is not a port"):
        triort.Manager(port)
