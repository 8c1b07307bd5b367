"""The Executor does what the standard library demands of one: calls, futures, maps, waits."""

import asyncio
import concurrent.futures
import functools
import gc
import logging
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, CancelledError, as_completed, wait
from pathlib import Path

import pytest

import triort
from tests._client import pool_tasks

pytestmark = pytest.mark.processes
LONG_S = 30


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + LONG_S
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_is_an_executor_of_the_standard_library(pool):
    assert isinstance(pool, concurrent.futures.Executor)
    assert isinstance(pool.submit(pool_tasks.square, 1), concurrent.futures.Future)


def test_a_call_gives_its_value_and_takes_any_keyword(pool):
    assert pool.submit(pow, 2, 8).result() == 256
    assert pool.submit(pool_tasks.add, 2, y=8).result() == 10
    named = {"self": 2, "fn": 3, "task_name": 4, "log_context": 5}
    assert pool.submit(pool_tasks.catch_all, 1, **named).result() == ((1,), named)
    with pytest.raises(TypeError):
        pool.submit(fn=pool_tasks.square, x=1)


def test_async_functions_partials_and_lambdas_can_be_called(pool):
    assert pool.submit(pool_tasks.async_square, 3).result() == 9
    assert list(pool.map(pool_tasks.async_square, range(5), chunksize=2)) == [0, 1, 4, 9, 16]
    assert pool.submit(functools.partial(pool_tasks.add, 1), 2).result() == 3
    offset = 40
    assert list(pool.map(lambda x: x + offset, [1, 2])) == [41, 42]


def test_a_function_that_changes_between_two_calls_is_pickled_again(pool):
    box = [1]

    def read() -> int:
        return box[0]

    assert pool.submit(read).result() == 1
    box[0] = 2
    assert pool.submit(read).result() == 2


def test_an_error_is_itself_with_the_traceback_of_the_worker(pool):
    future = pool.submit(pool_tasks.fail, "text")
    error = future.exception(LONG_S)
    assert type(error) is KeyError
    assert error.args == ("text",)
    assert "raise KeyError(text)" in str(error.__cause__)
    with pytest.raises(KeyError):
        future.result()


def test_what_is_no_exception_arrives_as_a_remote_error(pool):
    with pytest.raises(triort.RemoteError, match="SystemExit: 3"):
        pool.submit(exit, 3).result(LONG_S)
    assert pool.submit(pool_tasks.square, 2).result() == 4


@pytest.mark.parametrize("bad", [pool_tasks.Opaque(), pool_tasks.Rude(), threading.Lock()])
def test_what_cannot_be_pickled_is_told_by_the_future_and_costs_nobody_else(pool, bad):
    good, future = pool.submit(pool_tasks.square, 3), pool.submit(pool_tasks.square, bad)
    with pytest.raises(
        triort.UsageError, match=r"square.* cannot be pickled: \w+Error|of square .*SystemExit"
    ) as caught:
        future.result(LONG_S)
    assert "PicklingError" in [kind.__name__ for kind in type(caught.value).__mro__]
    assert "\n" not in str(caught.value)
    assert good.result() == 9


def test_a_value_that_cannot_be_unpickled_here_fails_its_call_alone(pool):
    with pytest.raises(KeyError, match="sour"):
        pool.submit(pool_tasks.make_sour).result(LONG_S)
    assert pool.submit(pool_tasks.square, 2).result() == 4


def test_a_future_goes_through_its_states_and_calls_back_once(pool, tmp_path):
    seen: list[concurrent.futures.Future[int]] = []
    future = pool.submit(pool_tasks.nap, 0.2, 7)
    future.add_done_callback(seen.append)
    assert not future.done()
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(timeout=0.01)
    assert future.running()
    assert future.result(LONG_S) == 7
    assert (future.done(), future.running(), future.cancelled(), future.cancel()) == (True, False, False, False)
    future.add_done_callback(seen.append)
    assert seen == [future, future]


def test_a_callback_that_raises_or_waits_for_its_own_pool_hangs_nothing(pool, caplog):
    with caplog.at_level(logging.CRITICAL, "concurrent.futures"):
        errors: list[Exception] = []
        done = threading.Event()

        def on_end(future: concurrent.futures.Future[int]) -> None:
            try:
                pool.submit(pool_tasks.square, 1).result()
            except triort.UsageError as exc:
                errors.append(exc)
            done.set()
            raise ValueError

        pool.submit(pool_tasks.nap, 0.3).add_done_callback(on_end)
        assert done.wait(LONG_S)
    assert "a callback of a pool cannot wait" in str(errors[0])
    assert pool.submit(pool_tasks.square, 2).result() == 4


def test_a_callback_may_submit_more(pool):
    done: list[concurrent.futures.Future[int]] = []
    ready = threading.Event()

    def on_end(future: concurrent.futures.Future[int]) -> None:
        done.append(pool.submit(pool_tasks.square, future.result()))
        ready.set()

    pool.submit(pool_tasks.nap, 0.3, 9).add_done_callback(on_end)
    assert ready.wait(LONG_S)
    assert done[0].result(LONG_S) == 81


def test_a_pending_call_that_is_cancelled_never_runs_and_wakes_who_waits(pool, tmp_path):
    many = [pool.submit(pool_tasks.nap, 0.05) for _ in range(12)]
    last = pool.submit(pool_tasks.mark, str(tmp_path / "mark"))
    assert last.cancel()
    assert last.cancelled()
    assert wait([last], LONG_S).done == {last}
    with pytest.raises(CancelledError):
        last.result()
    wait(many, LONG_S)
    assert not (tmp_path / "mark").exists()


def test_a_running_call_can_be_cancelled_with_the_tree_below_it(pool, tmp_path):
    path = tmp_path / "started"
    future = pool.submit(pool_tasks.spawn_marks, str(path), 1)
    wait_for(tmp_path / "started.0")
    seen: list[concurrent.futures.Future[None]] = []
    future.add_done_callback(seen.append)
    assert future.running()
    assert future.cancel()
    assert (future.cancelled(), future.done(), future.cancel(), seen) == (True, True, True, [future])
    with pytest.raises(CancelledError):
        future.result()
    assert list(pool.map(pool_tasks.square, range(4), timeout=LONG_S)) == [0, 1, 4, 9]  # the workers are free again


@pytest.mark.parametrize("how", ["map", "submit"])
def test_cancelled_calls_that_compute_are_interrupted_and_cost_no_worker(pool, tmp_path, how):
    path = str(tmp_path / "started")
    pids = set(pool.map(pool_tasks.pid, range(20)))
    if how == "map":
        results = pool.map(pool_tasks.mark_then_spin, [path, path], chunksize=2, timeout=0.5)
        with pytest.raises(TimeoutError):
            next(results)
    else:
        future = pool.submit(pool_tasks.mark_then_spin, path)
        wait_for(Path(path))
        future.cancel()
    assert set(pool.map(pool_tasks.pid, range(20))) <= pids


def test_wait_tells_the_first_the_failed_and_all(pool):
    quick, slow = pool.submit(pool_tasks.square, 2), pool.submit(pool_tasks.nap, 0.3)
    assert wait([quick, slow], LONG_S, FIRST_COMPLETED) == ({quick}, {slow})
    failing, slow = pool.submit(pool_tasks.fail), pool.submit(pool_tasks.nap, 0.3)
    assert failing in wait([failing, slow], LONG_S, FIRST_EXCEPTION).done
    late = pool.submit(pool_tasks.nap, 0.2)
    assert wait([late], 0.01).not_done == {late}
    assert wait([late, late, slow], LONG_S) == ({late, slow}, set())


def test_as_completed_gives_each_future_once_in_the_order_of_their_ends(pool):
    slow, quick = pool.submit(pool_tasks.nap, 0.3, 1), pool.submit(pool_tasks.nap, 0.0, 2)
    assert [future.result() for future in as_completed([slow, quick, slow], LONG_S)] == [2, 1]
    slow = pool.submit(pool_tasks.nap, 0.2)
    with pytest.raises(concurrent.futures.TimeoutError, match=r"1 \(of 1\) futures unfinished"):
        list(as_completed([slow], 0.01))


def test_no_result_and_no_argument_is_referred_to_for_longer_than_needed(pool):
    for value in pool.map(pool_tasks.make_plain, range(10)):
        reference = weakref.ref(value)
        del value
        gc.collect()
        assert reference() is None
    gone = threading.Event()
    plain = pool_tasks.Plain()
    reference = weakref.ref(plain, lambda _: gone.set())
    pool.submit(plain.method)
    del plain
    assert gone.wait(LONG_S)


def test_many_threads_use_one_pool_at_once(pool):
    sums: list[int] = []

    def use() -> None:
        sums.append(sum(future.result() for future in [pool.submit(pool_tasks.square, i) for i in range(100)]))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [sum(i * i for i in range(100))] * 8


def test_more_calls_than_fit_into_the_cluster_at_once_all_end(pool):
    futures = [pool.submit(pool_tasks.square, i) for i in range(10_000)]
    assert sum(future.result() for future in futures) == sum(i * i for i in range(10_000))


def test_asyncio_runs_calls_in_it_and_cancels_them(pool, tmp_path):
    path = tmp_path / "started"

    async def main() -> int:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.run_in_executor(pool, pool_tasks.mark_then_spin, str(path)), 0.5)
        return await loop.run_in_executor(pool, pool_tasks.square, 5)

    assert asyncio.run(main()) == 25


def test_what_calls_say_is_heard_here(pool, caplog, capsys):
    with caplog.at_level(logging.WARNING):
        pool.submit(pool_tasks.log_it, "this").result(LONG_S)
    assert [(record.name, record.getMessage()) for record in caplog.records] == [("pool.task", "this")]
    assert capsys.readouterr().out == "printed this\n"


def test_proxies_of_a_manager_can_be_passed():
    script = (
        "import multiprocessing, triort\n"
        "if __name__ == '__main__':\n"
        "    with triort.Executor(1) as pool, multiprocessing.get_context('spawn').Manager() as manager:\n"
        "        queue = manager.Queue()\n"
        "        pool.submit(queue.put, 3).result()\n"
        "        print(queue.get(timeout=30))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_dask_and_others_are_told_how_many_workers_there_are(pool):
    assert pool._max_workers == 2
    assert triort.Executor()._max_workers >= 1
