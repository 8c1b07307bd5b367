"""The functions of an `Executor`'s calls, pickled once where that is the same as each time."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType
from typing import Any

from triort._client.pool_calls import Setup, StoredSetup, run_chunk
from triort._model.ids import Digest
from triort._model.limits import POOL_FUNCTIONS_MAX, POOL_SETUP_BYTES_MAX
from triort._wire import payload

_REFERENCE_BYTES = 64
"""A pickle that is no longer than this beside its names tells where the function is, and not what it does."""


class Packed:
    """A function as it is called on the workers: plainly, behind the pool's initializer, or for the chunks of a map."""

    __slots__ = ("_packed", "fn", "leading", "name", "task")

    def __init__(self, fn: Callable[..., Any], setup: Setup | None, *, in_chunks: bool = False) -> None:
        self.fn = fn
        self.name = payload.name_of(fn)
        leading = (run_chunk, fn) if in_chunks else (fn,)
        self.task: Callable[..., Any] = setup or leading[0]
        """What is pickled as the function of the task."""
        self.leading: tuple[Any, ...] = leading if setup is not None else leading[1:]
        """What it gets before the arguments of the call."""
        self._packed: tuple[Digest, bytes] | None = None

    def pack(self, known: KnownFunctions) -> tuple[Digest, bytes]:
        """Digest and pickle of the task; raises `UsageError` naming the function."""
        if self._packed is None:
            self._packed = known.pack(self.task)
        return self._packed


class KnownFunctions:
    """The pickles of functions that travel by their names. What travels by value may be another one the next time.

    Each call is a job of its own and brings its function along, which must not be large. So a large initializer (its
    arguments, that is) lies in a file in memory, if the workers are on this host.
    """

    def __init__(self, *, may_store: bool) -> None:
        self._known: dict[int, tuple[Any, tuple[Digest, bytes]]] = {}
        self._setups: dict[Setup, tuple[Digest, bytes]] = {}
        self._may_store = may_store
        self._files: list[int] = []

    def close(self) -> None:
        """No more calls will come."""
        while self._files:
            os.close(self._files.pop())

    def pack(self, task: Callable[..., Any]) -> tuple[Digest, bytes]:
        """Digest and pickle; raises `UsageError`."""
        known = self._known.get(id(task))
        if known is not None and known[0] is task:
            return known[1]
        if isinstance(task, Setup):
            return self._pack_setup(task)
        packed = payload.dump_function(task)
        if _is_reference(task, packed[1]):
            if len(self._known) >= POOL_FUNCTIONS_MAX:
                self._known.clear()
            self._known[id(task)] = task, packed
        return packed

    def _pack_setup(self, setup: Setup) -> tuple[Digest, bytes]:
        if setup not in self._setups:
            packed = payload.dump_function(setup)
            if self._may_store and len(packed[1]) > POOL_SETUP_BYTES_MAX:
                packed = payload.dump_function(StoredSetup(setup.pool, self._store(packed[1]), setup.key))
            self._setups[setup] = packed
        return self._setups[setup]

    def _store(self, data: bytes) -> str:
        file = os.memfd_create("triort-setup")
        self._files.append(file)
        with open(file, "wb", closefd=False) as stream:
            stream.write(bytes(data))
        return f"/proc/{os.getpid()}/fd/{file}"


def _is_reference(task: Callable[..., Any], pickled: bytes) -> bool:
    if not isinstance(task, FunctionType | BuiltinFunctionType):
        return False
    return len(pickled) <= _REFERENCE_BYTES + len(task.__module__ or "") + len(task.__qualname__)
