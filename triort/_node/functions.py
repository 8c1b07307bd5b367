"""From a task's header to a call: functions and shared values by digest, loaded once and kept.

Functions are kept across jobs (the digest covers all of their bytes); values put by tasks go with their job.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any, Protocol

import attrs

from triort._core.attempts import Attempt
from triort._core.links import BlobStore
from triort._model.errors import ProtocolError, TriortError
from triort._model.ids import Digest, JobId
from triort._wire import payload
from triort._wire.shared import Store

FUNCTIONS_MAX = 4_096


class Wrap(Protocol):
    """See `Process.wrap`."""

    def __call__(self, call: Callable[..., Any], *, is_async: bool) -> Callable[..., Any]:
        """What is to be called."""


@attrs.define(eq=False)
class Function:
    """A loaded task function and what this worker has learned of it. ``cost_ns`` is 0 until it was measured."""

    call: Callable[..., Any]
    is_async: bool
    cost_ns: float = 0.0


@attrs.define(eq=False)
class Functions:
    """The functions and values that tasks here have needed so far."""

    blobs: BlobStore
    wrap: Wrap
    """What the worker's process makes of a user's function."""
    store: Store | None = None
    _loaded: dict[Digest, Function] = attrs.Factory(dict)
    _values: dict[JobId, dict[Digest, Any]] = attrs.Factory(dict)
    _digests: dict[int, tuple[Any, Digest]] = attrs.Factory(dict)

    def known(self, digest: Digest) -> Function | None:
        """The function, if it has been loaded before."""
        return self._loaded.get(digest)

    def load(self, attempt: Attempt) -> Function:
        """The task's function; raises what loading it raises, an `ImportError` with where it was looked for, and
        `ProtocolError` when somebody has put another one in its place."""
        digest = attempt.spec.function
        function = self._loaded.get(digest)
        if function is None:
            blob = self.blobs[attempt.spec.job][digest]
            if payload.digest_of(blob) != digest:  # kept for other jobs, too, it would run in the place of theirs
                raise ProtocolError(f"{attempt.spec.function_name} is another function than its digest says")
            call = _loads(blob)
            in_async = is_async(call)
            function = Function(self.wrap(call, is_async=in_async), in_async)
            if len(self._loaded) >= FUNCTIONS_MAX:
                self._loaded.clear()
            self._loaded[digest] = function
        return function

    def load_call(self, attempt: Attempt) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The task's arguments, with the values that its refs stand for."""
        job = attempt.spec.job
        try:
            if not attempt.spec.blobs:
                args, kwargs = payload.loads(attempt.payload or payload.NONE)
                return args, kwargs or {}
            return payload.load_call(attempt.payload or payload.NONE, lambda digest: self._value(job, digest))
        except ModuleNotFoundError as exc:
            raise _not_found(exc) from exc

    def dump(self, job: JobId, call: Callable[..., Any]) -> Digest:
        """The digest of a function that a task submits. A plain function is pickled once per job; what has state of
        its own (a closure, an object) each time, for that may have changed."""
        is_plain = type(call) is FunctionType and call.__closure__ is None
        known = self._digests.get(id(call)) if is_plain else None
        if known is not None and known[0] is call and known[1] in self.blobs.get(job, ()):
            return known[1]
        digest, blob = payload.dump_function(call)
        self.blobs.setdefault(job, {})[digest] = blob
        if len(self._digests) >= FUNCTIONS_MAX:
            self._digests.clear()
        if is_plain:
            self._digests[id(call)] = (call, digest)
        return digest

    def put(self, job: JobId, value: Any) -> payload.Ref:
        """Pickle a value once; tasks that get the ref share the bytes."""
        blob = payload.dumps(value, self.store)
        digest = payload.digest_of(blob)
        self.blobs.setdefault(job, {})[digest] = blob
        return payload.Ref(digest)

    def forget(self, job: JobId) -> None:
        """The job has ended."""
        self._values.pop(job, None)

    def _value(self, job: JobId, digest: Digest) -> Any:
        values = self._values.setdefault(job, {})
        if digest not in values:
            values[digest] = _loads(self.blobs[job][digest])
        return values[digest]


def is_async(call: Callable[..., Any]) -> bool:
    """True if calling it gives a coroutine; a sync function may still return one, which is then awaited."""
    while isinstance(call, functools.partial):
        call = call.func
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004


def _loads(blob: bytes) -> Any:
    try:
        return payload.loads(blob)
    except ModuleNotFoundError as exc:
        raise _not_found(exc) from exc


def _not_found(exc: ModuleNotFoundError) -> TriortError | ModuleNotFoundError:
    looked = ", ".join(repr(path) for path in sys.path[:20])
    return ModuleNotFoundError(f"the worker cannot import {exc.name!r}; it looked in {looked}", name=exc.name)
