"""The arguments of an `Executor`, checked: what makes no sense is refused in one line, by triort's error and by the one
that the standard library has for it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Any

import attrs

from triort._client.pool_calls import Setup, manager_key
from triort._client.pool_errors import BadType, BadValue
from triort._model.errors import UsageError
from triort._node.checks import check_memory_limit
from triort._transport.endpoints import parse_endpoint


@attrs.frozen
class PoolArguments:
    """What a pool was made with. ``name`` is its own, wherever its copies are."""

    max_workers: int | None
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]
    max_tasks_per_child: int | None
    address: str | None
    access: str | os.PathLike[str] | None
    blas_threads: int | None
    memory_limit: int | None
    name: str = attrs.Factory(lambda: secrets.token_hex(8))

    def setup(self, last: Setup | None) -> Setup | None:
        """What calls go through, if anything; ``last`` is what they went through before. The key of this process is for
        workers of its own."""
        key = manager_key() if self.address is None else None
        if self.initializer is None and key is None:
            return None
        return last if last is not None and last.key == key else Setup(self.name, self.initializer, self.initargs, key)


def check_arguments(
    max_workers: Any,
    mp_context: Any,
    initializer: Any,
    initargs: Any,
    max_tasks_per_child: Any,
    address: Any,
    access: Any,
    blas_threads: Any,
    memory_limit: Any,
) -> PoolArguments:
    """The arguments, if they make sense; raises `UsageError`."""
    if max_workers is not None:
        _check_count("max_workers", max_workers, "max_workers must be greater than 0")
    _check_context(mp_context)
    if initializer is not None and not callable(initializer):
        raise BadType(f"initializer must be a callable, not {initializer!r:.100}")
    if not isinstance(initargs, tuple | list):
        raise BadType(f"initargs must be a tuple, not {initargs!r:.100}")
    if max_tasks_per_child is not None:
        _check_count("max_tasks_per_child", max_tasks_per_child, "max_tasks_per_child must be >= 1")
    if blas_threads is not None:
        _check_count("blas_threads", blas_threads, "blas_threads must be None or > 0")
    check_memory_limit(memory_limit)
    if address is not None:
        if not isinstance(address, str):
            raise BadType(f"address must be a str like 'HOST:PORT', not {address!r:.100}")
        parse_endpoint(address, 7472)
        for name, is_set in (
            ("max_tasks_per_child", max_tasks_per_child is not None),
            ("blas_threads", blas_threads != 1),
            ("memory_limit", memory_limit is not None),
        ):
            if is_set:
                raise UsageError(f"{name} is for workers of the pool's own; leave it out with an address")
    elif access is not None:
        raise UsageError("access is for a running server; name its address, too, or leave it out")
    if access is not None and not isinstance(access, str | os.PathLike):
        raise BadType(f"access must be the path of an access file, not {access!r:.100}")
    return PoolArguments(
        max_workers, initializer, tuple(initargs), max_tasks_per_child, address, access, blas_threads, memory_limit
    )


def check_map(chunksize: Any, buffersize: Any) -> None:
    """Check what `Executor.map` was given; raises `UsageError`."""
    _check_count("chunksize", chunksize, "chunksize must be >= 1")
    if buffersize is not None:
        _check_count("buffersize", buffersize, "buffersize must be None or > 0")


def _check_count(name: str, value: Any, rule: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadType(f"{name} must be an integer, not {value!r:.100}")
    if value < 1:
        raise BadValue(f"{rule}, not {value}")


def _check_context(mp_context: Any) -> None:
    """Workers come from a fresh process, which is what the other two start methods are asked for."""
    if mp_context is None:
        return
    method = getattr(mp_context, "get_start_method", None)
    if method is None:
        raise BadType(f"mp_context must be a context of multiprocessing, not {mp_context!r:.100}")
    if method() == "fork":
        raise BadValue(
            "workers are never forked from this process, so they inherit nothing of it; leave mp_context out"
        )
