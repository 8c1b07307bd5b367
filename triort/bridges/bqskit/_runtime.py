"""What ``bqskit.runtime.get_runtime()`` gives in triort's workers.

BQSKit finds its runtime in a global of its module ``bqskit.runtime.worker``; that is where `install` puts this one.
What a method does, and what it raises, is what it does in BQSKit's own runtime; checks and texts are BQSKit's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, cast

import bqskit.runtime.worker
import msgspec
from bqskit.runtime.future import RuntimeFuture

from triort._model.errors import UsageError
from triort._model.ids import Digest, JobId
from triort._model.limits import NAME_CHARS_MAX
from triort._model.messages import Options, TaskSpec
from triort._node.functions import FUNCTIONS_MAX
from triort._node.futures import Future
from triort._node.options import check_options
from triort._node.runtime import get_runtime
from triort._wire import payload
from triort.bridges.bqskit._dill import ByDill
from triort.bridges.bqskit._futures import TaskFuture
from triort.bridges.bqskit._logs import take_over_records
from triort.bridges.bqskit._state import TaskState, current_state

Contexts = Sequence[Mapping[str, str]]
Names = Sequence[str | None]


class BqskitRuntime:
    """The way for a BQSKit task to its children; see ``bqskit.runtime.RuntimeHandle``."""

    def __init__(self) -> None:
        self._mailbox_ids = itertools.count()
        self._digests: dict[tuple[JobId, int], tuple[Any, Digest]] = {}

    @property
    def _id(self) -> int:
        """The number of this worker."""
        return _state().worker.core.node_id

    def submit(
        self,
        fn: Callable[..., Any],
        *args: Any,
        task_name: str | None = None,
        log_context: Mapping[str, str] = {},
        **kwargs: Any,
    ) -> RuntimeFuture:
        """Start ``fn(*args, **kwargs)`` as a child task; does not block."""
        if task_name is not None and not isinstance(task_name, str):
            raise RuntimeError("task_name must be a string.")
        if not isinstance(log_context, dict):
            raise RuntimeError("log_context must be a dictionary.")
        _check_context(log_context)
        return self._start(fn, [args], kwargs, [task_name], [log_context], is_map=False)

    def map(
        self,
        fn: Callable[..., Any],
        *args: Any,
        task_name: Names | str | None = None,
        log_context: Contexts | Mapping[str, str] = {},  # noqa: B006 - BQSKit's; nobody changes it
        **kwargs: Any,
    ) -> RuntimeFuture:
        """Start ``fn`` for each tuple of items, one child task each; does not block."""
        names = [task_name] * len(args[0]) if task_name is None or isinstance(task_name, str) else task_name
        if len(names) != len(args[0]):
            raise RuntimeError(
                "task_name must be a string or a list of strings equal in length to the number of tasks."
            )
        contexts = [log_context] * len(args[0]) if isinstance(log_context, dict) else cast(Contexts, log_context)
        if len(contexts) != len(args[0]):
            raise RuntimeError(
                "log_context must be a dictionary or a list of dictionaries equal in length to the number of tasks."
            )
        for context in contexts:
            _check_context(context)
        calls = list(zip(*args, strict=False))
        if not calls:
            raise RuntimeError("Unable to map 0 tasks.")
        return self._start(fn, calls, kwargs, names, contexts, is_map=True)

    async def next(self, future: RuntimeFuture) -> list[tuple[int, Any]]:
        """Wait until results have come since the last call, and return them as (index, value)."""
        return await _own(future).next_batch()

    def cancel(self, future: RuntimeFuture) -> None:
        """Cancel the children; awaiting the future raises from now on. Does not block."""
        own = _open(future)
        own.close()
        get_runtime().cancel(own._inner)

    def communicate(self, future: RuntimeFuture, msg: Any) -> None:
        """Send a message to the children; does not block."""
        get_runtime().communicate(_open(future)._inner, msg)

    def get_messages(self) -> list[Any]:
        """What the parent has sent to this task since the last call."""
        return get_runtime().get_messages()

    def get_cache(self) -> dict[str, Any]:
        """This worker's own dict."""
        return get_runtime().get_cache()

    def _start(
        self,
        fn: Callable[..., Any],
        calls: payload.Calls,
        kwargs: dict[str, Any],
        names: Names,
        contexts: Contexts,
        *,
        is_map: bool,
    ) -> TaskFuture:
        """As `triort.Runtime` starts children, but each may have a name and a context of its own."""
        state = _state()
        worker, parent = state.worker, state.running
        above = parent.attempt.spec
        try:
            digest, dumped = self._dump(fn, calls, kwargs, state)
        except UsageError as exc:
            digest, dumped = self._dump_by_dill(fn, calls, kwargs, state, exc)
        name = payload.name_of(fn)
        plain = TaskSpec(above.job, digest, name, above.depth + 1, _options(above, None, {}), (), above.log_level)
        inner = Future(worker, parent, names[0] or name, is_map=is_map)
        inner._results = [None] * len(calls)
        for index, data in enumerate(dumped):
            spec = plain
            if names[index] is not None or contexts[index]:
                spec = msgspec.structs.replace(plain, options=_options(above, names[index], contexts[index]))
            inner._open[index] = worker.core.submit(parent, spec, data, inner, index, None)
        worker.notice()
        return TaskFuture(next(self._mailbox_ids), state, inner)

    def _dump(
        self, fn: Callable[..., Any], calls: payload.Calls, kwargs: dict[str, Any], state: TaskState
    ) -> tuple[Digest, list[bytes]]:
        digest = self._digest_of(fn, state)
        dumped, _ = payload.dump_calls(fn, calls, kwargs, state.worker.conn.store)
        return digest, dumped

    def _dump_by_dill(
        self, fn: Callable[..., Any], calls: payload.Calls, kwargs: dict[str, Any], state: TaskState, why: UsageError
    ) -> tuple[Digest, list[bytes]]:
        """As `_dump`, for what that cannot do: dill, which BQSKit's runtime uses, knows locks and more. It takes far
        longer. Raises what it raises in BQSKit, with a note that says which argument it is about."""
        dilled = [tuple(map(ByDill, args)) for args in calls]
        try:
            return self._dump(ByDill(fn), dilled, {key: ByDill(value) for key, value in kwargs.items()}, state)
        except UsageError as exc:
            reason = exc.__cause__ or exc
            reason.add_note(str(why))
            raise reason from None

    def _digest_of(self, fn: Callable[..., Any], state: TaskState) -> Digest:
        """As `Functions.dump`, which does not know that what stands around a plain function is the same in all of a
        job."""
        job, functions = state.running.attempt.spec.job, state.worker.functions
        if type(fn) is not FunctionType or fn.__closure__ is not None:
            return functions.dump(job, state.function.child(fn))
        known = self._digests.get((job, id(fn)))
        if known is not None and known[0] is fn and known[1] in functions.blobs.get(job, ()):
            return known[1]
        digest = functions.dump(job, state.function.child(fn))
        if len(self._digests) >= FUNCTIONS_MAX:
            self._digests.clear()
        self._digests[job, id(fn)] = (fn, digest)
        return digest


_runtime = BqskitRuntime()


def install() -> None:
    """Make this the runtime that BQSKit finds in this process; to do so again changes nothing."""
    if bqskit.runtime.worker._worker is not _runtime:
        bqskit.runtime.worker._worker = _runtime
        take_over_records()


def _state() -> TaskState:
    state = current_state()
    if state is None:
        raise RuntimeError("This works inside a task of a BQSKit compilation only, on the task's own thread.")
    return state


def _own(future: RuntimeFuture) -> TaskFuture:
    if not isinstance(future, TaskFuture):
        raise RuntimeError("Can only await on a BQSKit RuntimeFuture.")
    return future


def _open(future: RuntimeFuture) -> TaskFuture:
    own = _own(future)
    if own._is_over:
        raise KeyError("this future has been awaited or cancelled already")
    return own


def _check_context(context: Mapping[Any, Any]) -> None:
    for key, value in context.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise RuntimeError("log_context must be a map from strings to strings.")


def _options(above: TaskSpec, name: str | None, context: Mapping[str, str]) -> Options:
    """Those of a child: of its parent's only the context is its own, too."""
    if name is None and not context and not above.options.log_context:
        return Options()
    short = None if name is None else str(name)[:NAME_CHARS_MAX]
    return check_options(Options(name=short, log_context={**above.options.log_context, **context}))
