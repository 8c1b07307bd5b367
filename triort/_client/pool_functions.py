"""The functions of an `Executor`'s calls, pickled once where that is the same as each time."""

from __future__ import annotations

from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType
from typing import Any

from triort._client.pool_calls import Setup, run_chunk
from triort._model.ids import Digest
from triort._model.limits import POOL_FUNCTIONS_MAX
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
    """The pickles of functions that travel by their names. What travels by value may be another one the next time."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, tuple[Digest, bytes]]] = {}

    def pack(self, task: Callable[..., Any]) -> tuple[Digest, bytes]:
        """Digest and pickle; raises `UsageError`."""
        known = self._known.get(id(task))
        if known is not None and known[0] is task:
            return known[1]
        packed = payload.dump_function(task)
        if type(task) is Setup or _is_reference(task, packed[1]):
            if len(self._known) >= POOL_FUNCTIONS_MAX:
                self._known.clear()
            self._known[id(task)] = task, packed
        return packed


def _is_reference(task: Callable[..., Any], pickled: bytes) -> bool:
    if not isinstance(task, FunctionType | BuiltinFunctionType):
        return False
    return len(pickled) <= _REFERENCE_BYTES + len(task.__module__ or "") + len(task.__qualname__)
