"""On triort, joblib runs `Parallel` in each of its ways, nested or not; scikit-learn gives the same answers as ever."""

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from joblib.parallel import TimeoutError as JoblibTimeoutError

import triort
from tests.bridges import joblib_tasks
from triort.bridges.joblib import TriortBackend

pytestmark = pytest.mark.processes
LONG_S = 60
SQUARES = [x * x for x in range(40)]


@pytest.fixture(scope="module")
def pool() -> Iterator[triort.Executor]:
    with triort.Executor(2) as pool:
        pool.submit(joblib_tasks.square, 1).result(LONG_S)
        yield pool


@pytest.fixture(autouse=True)
def configured(pool) -> Iterator[None]:
    with parallel_config("triort", pool=pool):
        yield


def wait_for_threads_to_end() -> None:
    deadline = time.monotonic() + LONG_S
    while len([each for each in threading.enumerate() if each.name == "triort pool"]) > 1:
        gc.collect()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("options", [{}, {"n_jobs": 2}, {"batch_size": 7}, {"pre_dispatch": "all"}, {"n_jobs": 1}])
def test_a_parallel_gives_its_values_in_order(options):
    assert Parallel(**options)(delayed(joblib_tasks.square)(i) for i in range(40)) == SQUARES


def test_lambdas_and_local_functions_can_be_called():
    offset = 3
    assert Parallel()(delayed(lambda x: x + offset)(i) for i in range(3)) == [3, 4, 5]


def test_results_come_as_a_generator_in_order_or_as_they_end():
    calls = [delayed(joblib_tasks.square)(i) for i in range(40)]
    assert list(Parallel(return_as="generator")(calls)) == SQUARES
    assert sorted(Parallel(return_as="generator_unordered")(calls)) == SQUARES


def test_a_failed_call_is_raised_as_itself_and_ends_those_that_run(tmp_path):
    calls = [delayed(joblib_tasks.mark_then_spin)(str(tmp_path / "mark")), delayed(joblib_tasks.fail)(7)]
    with pytest.raises(KeyError, match="7"):
        Parallel(n_jobs=2, batch_size=1)(calls)
    assert Parallel()(delayed(joblib_tasks.square)(i) for i in range(40)) == SQUARES


def test_a_parallel_that_takes_too_long_is_told_and_its_calls_end():
    with pytest.raises(JoblibTimeoutError):
        Parallel(timeout=0.3)(delayed(joblib_tasks.nap)(60) for _ in range(4))
    assert Parallel(timeout=LONG_S)(delayed(joblib_tasks.square)(i) for i in range(40)) == SQUARES


def test_one_parallel_may_be_used_several_times():
    with Parallel(n_jobs=2) as parallel:
        for _ in range(3):
            assert parallel(delayed(joblib_tasks.square)(i) for i in range(40)) == SQUARES


def test_a_nested_parallel_runs_on_the_same_workers():
    values = Parallel()(delayed(joblib_tasks.nested)(n) for n in range(8))
    assert [total for total, _, _ in values] == [sum(i * i for i in range(n)) for n in range(8)]
    assert {name for _, name, _ in values} == {"TriortBackend"}
    assert len({pid for _, _, pid in values}) <= 2


def test_a_deep_tree_of_parallels_does_not_deadlock():
    assert Parallel(n_jobs=2)(delayed(joblib_tasks.deep)(4) for _ in range(2)) == [31, 31]


def test_a_nested_parallel_has_as_many_jobs_as_it_asks_for():
    assert Parallel()(delayed(joblib_tasks.default_jobs)() for _ in range(2)) == [(1, 2)] * 2


def test_where_a_task_cannot_wait_a_nested_parallel_is_sequential(pool):
    assert Parallel()(delayed(joblib_tasks.in_a_thread)() for _ in range(2)) == [[0, 1, 4]] * 2
    values: object = pool.submit(joblib_tasks.in_an_async_task).result(LONG_S)
    assert values == [0, 1, 4]


def test_a_backend_without_a_pool_has_its_own_which_ends_with_it():
    with parallel_config("triort", n_jobs=2):
        assert Parallel()(delayed(joblib_tasks.square)(i) for i in range(40)) == SQUARES
        assert Parallel()(delayed(joblib_tasks.square)(i) for i in range(40)) == SQUARES
        assert Parallel(n_jobs=3)(delayed(joblib_tasks.square)(i) for i in range(40)) == SQUARES
    wait_for_threads_to_end()


def test_numeric_libraries_get_as_many_threads_as_are_asked_for():
    with parallel_config("triort", n_jobs=2, inner_max_num_threads=3):
        said = Parallel()(delayed(__import__("os").getenv)("OMP_NUM_THREADS") for _ in range(2))
    assert said == ["3", "3"]
    wait_for_threads_to_end()


def test_a_grid_search_of_scikit_learn_gives_the_same_answers():
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    features, classes = make_classification(300, random_state=1)
    searches = [
        GridSearchCV(SVC(random_state=0), {"C": [0.1, 1, 10], "gamma": [0.01, 0.1]}, cv=3),
        GridSearchCV(RandomForestClassifier(10, random_state=0, n_jobs=2), {"max_depth": [2, 4]}, cv=3),
    ]
    for search in searches:
        ours = search.fit(features, classes)
        scores, best = ours.cv_results_["mean_test_score"].copy(), ours.best_params_
        with parallel_config("sequential"):
            theirs = search.fit(features, classes)
        assert np.array_equal(scores, theirs.cv_results_["mean_test_score"])
        assert best == theirs.best_params_


def test_large_arrays_arrive_whole():
    arrays = [np.full(300_000, i, dtype=float) for i in range(4)]
    with triort.Executor(2) as pool, parallel_config("triort", pool=pool):
        assert Parallel()(delayed(np.sum)(array) for array in arrays) == [300_000.0 * i for i in range(4)]


def test_what_makes_no_sense_is_refused_in_one_line(pool):
    with pytest.raises(triort.UsageError, match=r"pool must be a triort\.Executor, not 3"):
        TriortBackend(pool=3)  # type: ignore[arg-type]
    with pytest.raises(triort.UsageError, match="a pool or an address, not both"):
        TriortBackend(pool=pool, address="localhost")
    with pytest.raises(ValueError, match="n_jobs == 0"):
        Parallel(n_jobs=0)(delayed(joblib_tasks.square)(i) for i in range(3))


def test_without_joblib_the_import_says_how_to_get_it():
    script = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith('joblib'):\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "import triort.bridges.joblib\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=LONG_S)
    *_, last = done.stderr.strip().splitlines()
    assert last == "ModuleNotFoundError: triort.bridges.joblib needs joblib; get it by: pip install 'triort[joblib]'"
