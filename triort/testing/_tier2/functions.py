"""The functions that run the tasks of a plan: they look up their script by name, in the run that is going on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from triort.testing._plan.plan import Plan, Task
from triort.testing._tier2.cluster import Cluster
from triort.testing._tier2.scripts import Attempt, Scripts

_current: Scripts | None = None


@contextmanager
def scripts_of(cluster: Cluster, plan: Plan) -> Iterator[Scripts]:
    """The scripts of a plan, for the time of its run."""
    global _current
    scripts = _current = Scripts(cluster, function_of)
    try:
        for job in plan.jobs:
            scripts.learn(job)
        yield scripts
    finally:
        _current = None


def function_of(tasks: Sequence[Task]) -> Callable[..., Any]:
    """The function for a batch: that of its first task, async if all are."""
    table = _ASYNC if all(task.is_async for task in tasks) else _ANY
    return table[tasks[0].function if tasks else "f"]


async def f_async(name: str, shared: Any = None) -> int:
    return await run_async(name, shared)


async def g_async(name: str, shared: Any = None) -> int:
    return await run_async(name, shared)


async def h_async(name: str, shared: Any = None) -> int:
    return await run_async(name, shared)


def f_any(name: str, shared: Any = None) -> Any:
    return run_any(name, shared)


def g_any(name: str, shared: Any = None) -> Any:
    return run_any(name, shared)


def h_any(name: str, shared: Any = None) -> Any:
    return run_any(name, shared)


_ASYNC: dict[str, Callable[..., Any]] = {"f": f_async, "g": g_async, "h": h_async}
_ANY: dict[str, Callable[..., Any]] = {"f": f_any, "g": g_any, "h": h_any}


def run_any(name: str, shared: Any) -> Any:
    """Run a sync task; for an async one, give its coroutine, which the worker awaits."""
    scripts = _scripts()
    if scripts.tasks[name].is_async:
        return run_async(name, shared)
    with Attempt(scripts, name, shared) as attempt:
        return attempt.run()


async def run_async(name: str, shared: Any) -> int:
    """Run an async task."""
    with Attempt(_scripts(), name, shared) as attempt:
        return await attempt.run_async()


def _scripts() -> Scripts:
    assert _current is not None, "no plan is running"
    return _current
