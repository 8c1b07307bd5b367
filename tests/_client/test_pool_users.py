"""Libraries that take an executor run on a pool as they are: Dask, SciPy. So do processes of multiprocessing's."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import triort
from tests._client import pool_tasks

pytestmark = pytest.mark.processes
LONG_S = 60
SCRIPT = """
import multiprocessing
import triort

class Point:
    def __init__(self, x):
        self.x = x

class Mishap(Exception):
    pass

def move(point):
    return Point(point.x + 1)

def fail():
    raise Mishap

def use_pool(x):
    with triort.Executor(1) as pool:
        moved, error = pool.submit(move, Point(x)).result(), pool.submit(fail).exception()
        return isinstance(moved, Point), isinstance(error, Mishap)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as processes:
        print(processes.map(use_pool, [1]))
"""


def reduce_array() -> float:
    """A reduction of many chunks."""
    import dask.array

    numbers = dask.array.arange(250_000, chunks=25_000)
    return float(((numbers % 7) * numbers).std().compute())


def reduce_nested() -> float:
    """The same in a task, on the task's own cluster."""
    import dask

    with triort.Executor() as pool, dask.config.set(scheduler=pool):
        return reduce_array()


def bowl(x: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    return float(np.sum((x - 1.5) ** 2))


def test_dask_arrays_give_the_same_answers(pool):
    import dask

    with dask.config.set(scheduler="synchronous"):
        expected = reduce_array()
    with dask.config.set(scheduler=pool):
        assert reduce_array() == expected
        assert dask.compute(*[dask.delayed(pool_tasks.square)(i) for i in range(20)]) == tuple(i * i for i in range(20))
        with pytest.raises(KeyError):
            dask.delayed(pool_tasks.fail)().compute()


def test_dask_in_a_task_runs_on_the_cluster_of_the_task(pool):
    import dask

    with dask.config.set(scheduler="synchronous"):
        expected = reduce_array()
    assert pool.submit(reduce_nested).result(LONG_S) == expected


def test_an_optimizer_of_scipy_gives_the_same_answer(pool):
    from scipy.optimize import differential_evolution

    bounds = [(-5.0, 5.0)] * 3
    options = {"rng": 1, "updating": "deferred", "maxiter": 20, "polish": False}
    ours = differential_evolution(bowl, bounds, workers=pool.map, **options)
    theirs = differential_evolution(bowl, bounds, **options)
    assert np.array_equal(ours.x, theirs.x)
    assert ours.nfev == theirs.nfev


def test_a_process_that_multiprocessing_has_spawned_may_use_what_its_script_defines(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=LONG_S)
    assert (done.stdout, done.stderr, done.returncode) == ("[(True, True)]\n", "", 0)
