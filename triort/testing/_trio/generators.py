"""Closes the async generators that a run leaves open in the order in which they were first iterated.

Trio closes them itself at the end of a run, but in the order of a set, which is that of their addresses. Those that are
dropped earlier are closed by trio when their last reference goes, which is the same moment in every process.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

import trio

LOGGER = logging.getLogger("trio.async_generator_errors")  # trio's own, for the same


@asynccontextmanager
async def closed_in_order() -> AsyncIterator[None]:
    """Around the main function of a run: afterwards no async generator that was iterated in it is open."""
    open_ones: WeakValueDictionary[int, AsyncGenerator[Any, Any]] = WeakValueDictionary()
    trios_first, trios_last = sys.get_asyncgen_hooks()  # the pair itself is unknown to the garbage collector
    number = 0

    def first_iterated(generator: AsyncGenerator[Any, Any]) -> None:
        nonlocal number
        number += 1
        open_ones[number] = generator
        if trios_first is not None:
            trios_first(generator)

    sys.set_asyncgen_hooks(first_iterated, trios_last)
    try:
        yield
    finally:
        while open_ones:
            await _close(open_ones.pop(min(open_ones)))
        sys.set_asyncgen_hooks(trios_first, trios_last)


async def _close(generator: AsyncGenerator[Any, Any]) -> None:
    """Close it as trio does: cancelled, and what it raises is logged."""
    if generator.ag_running:  # type: ignore[attr-defined]
        return  # a system task is in the middle of it
    try:
        with trio.CancelScope(shield=True) as scope:
            scope.cancel()
            await generator.aclose()
    except Exception:
        LOGGER.exception("async generator %s failed when it was closed", getattr(generator, "__qualname__", ""))
