"""How a BQSKit task runs as a task of triort.

BQSKit's functions, async or not, are called inside an async task of triort's. Between triort and the user's code stands
`_stepped`, which makes each step of the task with BQSKit's view of logging (see `_logs`). Above its frame all is the
user's: that is what a poke of the boss asks (see `triort._node.interrupts`).

BQSKit sends the error of any task straight to the client. Here a task's error is raised where its parent awaits it, and
goes up from there. One that nobody has awaited when the parent ends is the parent's error, so that none is lost.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

import attrs

from triort._node.worker import Worker
from triort._wire import payload
from triort.bridges.bqskit._logs import set_level
from triort.bridges.bqskit._runtime import install
from triort.bridges.bqskit._setup import ImportPaths, Setup
from triort.bridges.bqskit._state import TaskFunction, TaskState, set_current_state
from triort.bridges.bqskit._wire import Kind, decode_message, encode_message

_namespace: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {}
exec(
    compile(
        "async def call_async(fn, args, kwargs):\n"
        "    return await fn(*args, **kwargs)\n"
        "async def call_sync(fn, args, kwargs):\n"
        "    return fn(*args, **kwargs)\n",
        "<task>",
        "exec",
    ),
    _namespace,
)
_call_async, _call_sync = _namespace["call_async"], _namespace["call_sync"]
"""Call a user's function from a frame that is not triort's, so that a builtin as a task can be interrupted, too."""


@attrs.frozen(eq=False)
class BqskitTask:
    """A function that a BQSKit task has submitted, as triort's workers call it."""

    func: Callable[..., Any]
    setup: Setup
    paths: ImportPaths

    def __reduce__(self) -> tuple[Callable[..., BqskitTask], tuple[ImportPaths, Callable[..., Any], Setup]]:
        return _make_task, (self.paths, self.func, self.setup)

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it; for the worker."""
        return await _run_function(self, self.func, args, kwargs)

    def child(self, func: Callable[..., Any]) -> BqskitTask:
        """The same for a function that the task submits."""
        return BqskitTask(func, self.setup, self.paths)


def _make_task(paths: ImportPaths, func: Callable[..., Any], setup: Setup) -> BqskitTask:
    return BqskitTask(func, setup, paths)


@attrs.frozen(eq=False)
class Compilation:
    """The root task: it gets a pickled ``CompilationTask`` and returns what that gives."""

    paths: ImportPaths
    setup: Setup
    is_message: bool = False
    """Whether task and result are messages of BQSKit's wire."""

    async def __call__(self, data: bytes) -> Any:
        """Run it; for the worker."""
        task = decode_message(data)[1] if self.is_message else payload.loads(bytes(data))
        value = await _run_function(self, task.run, (), {})
        return encode_message(Kind.RESULT, value) if self.is_message else value

    def child(self, func: Callable[..., Any]) -> BqskitTask:
        """A function that the task submits."""
        return BqskitTask(func, self.setup, self.paths)


async def _run_function(
    function: TaskFunction, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a function of BQSKit's as the task that calls this."""
    worker = Worker.current
    assert worker is not None
    state = TaskState(worker, worker.current_task(), function)
    worker.execution.boundary.add(BOUNDARY)
    install()
    call = _call_async if inspect.iscoroutinefunction(func) else _call_sync
    value = await _stepped(state, call(func, args, kwargs))
    state.raise_unseen()
    return value


@coroutine
def _stepped(state: TaskState, steps: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Await the task's code."""
    resume: Callable[[Any], Any] = steps.send
    answer: Any = None
    try:
        while True:
            level_before = set_level(state.log_level)
            set_current_state(state)
            try:
                trap = resume(answer)
            finally:
                set_current_state(None)
                set_level(level_before)
            try:
                answer = yield trap
                resume = steps.send
            except BaseException as exc:  # whatever trio raises in the task is for the function
                resume, answer = steps.throw, exc
    except StopIteration as stop:
        return stop.value


BOUNDARY = _stepped.__code__
