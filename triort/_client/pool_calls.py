"""What workers run for an `Executor`: chunks of a map, and the pool's initializer before the first call there."""

from __future__ import annotations

import logging
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from triort._model.errors import TaskInterrupted
from triort._node.functions import is_async
from triort._wire import payload

_INITIALIZED: set[str] = set()
"""The pools whose initializer has been called in this process."""


class InitializerFailed(Exception):
    """The initializer of a pool has raised; it breaks the pool."""


@attrs.frozen(eq=False)
class Setup:
    """Calls a function, and the initializer of its pool before, if this process has not done so yet. When it is loaded,
    before the arguments of the call are, the process takes the key of the pool's process: these may be proxies of a
    `multiprocessing.Manager`, which ask for it."""

    pool: str
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]
    key: bytes | None = None

    def __call__(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if self.initializer is not None and self.pool not in _INITIALIZED:
            try:
                self.initializer(*self.initargs)
            except TaskInterrupted:
                raise
            except BaseException as exc:  # as in the standard library, whatever it is: the pool is not usable
                logging.getLogger("concurrent.futures").critical("Exception in initializer:", exc_info=True)
                raise InitializerFailed(f"the initializer has failed: {payload.describe(exc)}") from exc
            _INITIALIZED.add(self.pool)
        return fn(*args, **kwargs)

    def __reduce__(self) -> tuple[Callable[..., Setup], tuple[Any, ...]]:
        return _load_setup, (self.pool, self.initializer, self.initargs, self.key)


@attrs.frozen(eq=False)
class StoredSetup:
    """A large `Setup`, which its pool keeps in a file in memory: calls say only where it is."""

    pool: str
    path: str
    key: bytes | None

    def __call__(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if self.pool in _INITIALIZED:
            return fn(*args, **kwargs)
        try:
            setup: Setup = payload.loads(Path(self.path).read_bytes())
        except Exception as exc:  # the user's classes run here
            raise InitializerFailed(f"the initializer cannot be loaded: {payload.describe(exc)}") from exc
        return setup(fn, *args, **kwargs)

    def __reduce__(self) -> tuple[Callable[..., StoredSetup], tuple[Any, ...]]:
        return _load_stored, (self.pool, self.path, self.key)


def _load_stored(pool: str, path: str, key: bytes | None) -> StoredSetup:
    _take_key(key)
    return StoredSetup(pool, path, key)


def _load_setup(
    pool: str, initializer: Callable[..., object] | None, initargs: tuple[Any, ...], key: bytes | None
) -> Setup:
    _take_key(key)
    return Setup(pool, initializer, initargs, key)


def _take_key(key: bytes | None) -> None:
    if key is not None:
        multiprocessing.current_process().authkey = key


def manager_key() -> bytes | None:
    """The key by which proxies of managers are let in, if this process has made some."""
    managers = sys.modules.get("multiprocessing.managers")
    has_proxies = managers is not None and getattr(managers.BaseProxy, "_address_to_local", True)
    return bytes(multiprocessing.current_process().authkey) if has_proxies else None


def run_chunk(fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> Any:
    """The values of some calls of a map, which travel as one task."""
    return _run_async_chunk(fn, calls) if is_async(fn) else [fn(*args) for args in calls]


async def _run_async_chunk(fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    return [await fn(*args) for args in calls]
