"""CPython's own tests of executors, from the standard library where that has them, run against the Executor.

What is left out looks at private attributes, starts programs that name the class, or is a difference that is told on
the page about `ProcessPoolExecutor`.
"""

import importlib
import multiprocessing
import unittest
from typing import Any

import pytest

import triort

try:
    NAMES = (
        "util",
        "test_as_completed",
        "test_deadlock",
        "test_init",
        "test_process_pool",
        "test_shutdown",
        "test_wait",
    )
    util, completed, deadlock, init, pool, shutdown, wait = (
        importlib.import_module(f"test.test_concurrent_futures.{name}") for name in NAMES
    )
except ImportError as exc:
    pytest.skip(f"this Python comes without its tests: {exc}", allow_module_level=True)

PRIVATE = {
    "test_del_shutdown", "test_idle_process_reuse_multiple", "test_idle_process_reuse_one", "test_killed_child",
    "test_max_tasks_per_child", "test_max_tasks_per_child_defaults_to_spawn_context", "test_processes_terminate",
    "test_python_finalization_error", "test_saturation", "test_shutdown_deadlock_pickle", "test_shutdown_no_wait",
    "test_context_manager_shutdown", "test_gh105829_should_not_deadlock_if_wakeup_pipe_full",
}  # fmt: skip
PROGRAMS = {"test_hang_gh83386", "test_interpreter_shutdown", "test_submit_after_interpreter_shutdown"}
DIFFERENT = {
    "test_error_at_task_unpickle", "test_error_during_result_pickle_on_worker",
    "test_error_during_result_unpickle_in_result_handler", "test_exit_at_task_unpickle",
    "test_exit_during_func_exec_on_worker", "test_exit_during_result_pickle_on_worker",
    "test_exit_during_result_unpickle_in_result_handler", "test_traceback",
}  # fmt: skip
STRAYS = {"test_ressources_gced_in_workers"}
"""It leaves the resource tracker of `multiprocessing` behind, which other tests here would take for a leftover."""


class Pool(triort.Executor):
    """With the one private attribute that the tests of initializers look at."""

    @property
    def _broken(self) -> bool:
        return self._engine is not None and self._engine.broken is not None


class WithExecutor(util.ExecutorMixin):  # type: ignore[name-defined]
    executor_type = Pool
    worker_count = 3

    def get_context(self) -> Any:
        return multiprocessing.get_context("spawn")


class WithContext(WithExecutor):
    ctx = "spawn"


def cases(name: str, mixin: type, executor: type = WithExecutor) -> type[unittest.TestCase]:
    """The tests of a mixin, but for those that are left out."""
    hidden = {each: None for each in dir(mixin) if each in PRIVATE | PROGRAMS | DIFFERENT | STRAYS}
    made = type(name, (mixin, executor, util.BaseTestCase), {"__module__": __name__, **hidden})
    assert issubclass(made, unittest.TestCase)
    return made


TestAsCompleted = cases("TestAsCompleted", completed.AsCompletedTests)
TestWait = cases("TestWait", wait.WaitTests)
TestPool = cases("TestPool", pool.ProcessPoolExecutorTest, WithContext)
TestShutdown = cases("TestShutdown", shutdown.ProcessPoolShutdownTest, WithContext)
TestDeadlock = cases("TestDeadlock", deadlock.ExecutorDeadlockTest, WithContext)


class TestInitializer(init.InitializerMixin, WithExecutor, util.BaseTestCase):  # type: ignore[name-defined]
    executor_type = Pool


class TestFailingInitializer(init.FailingInitializerMixin, WithExecutor, util.BaseTestCase):  # type: ignore[name-defined]
    executor_type = Pool
