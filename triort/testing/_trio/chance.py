"""Holds trio's own `Random`, with deterministic scheduling on, for the time of a run.

Seeding that `Random` is not enough: trio sorts its ready tasks and shuffles them by it only if a flag is set; without
the flag they come in the order of a set, which is that of addresses. Trio sets the flag, and hands its `Random` over,
to its plug-in for Hypothesis: an entry point, thus a public name. We stand in for Hypothesis while we call it. The
flag is whatever the call changes from False to True in its module; so no private name is needed to take it back
either.
"""

from __future__ import annotations

import functools
import importlib.metadata
import random
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from triort._model.errors import UsageError

KNOWN_VERSIONS = "0.25.1 … 0.35"


@contextmanager
def seize() -> Iterator[random.Random]:
    """Trio's scheduler `Random`; its deterministic scheduling is on inside, and as it was before afterwards.

    Raises `UsageError` if this version of trio offers neither its entry point nor the names behind it.
    """
    plugin = _entry_point()
    namespace = plugin.__globals__ if plugin is not None else _private_names()
    unset = [name for name, value in namespace.items() if value is False]
    try:
        chance = _handed_over(plugin) if plugin is not None else _by_private_names(namespace)
        changed = [name for name in unset if namespace[name] is True]
    except BaseException:
        namespace.update(dict.fromkeys(unset, False))
        raise
    try:
        yield chance
    finally:
        namespace.update(dict.fromkeys(changed, False))


@functools.cache
def _entry_point() -> types.FunctionType | None:
    """Trio's plug-in function for Hypothesis; looking for it takes tens of milliseconds."""
    for entry in importlib.metadata.entry_points(group="hypothesis", name="trio"):
        plugin = entry.load()
        if isinstance(plugin, types.FunctionType):
            return plugin
    return None


def _handed_over(plugin: Callable[[], object]) -> random.Random:
    """What trio gives to ``hypothesis.register_random``; a real Hypothesis, imported or not, sees nothing of it."""
    taken: list[random.Random] = []
    stand_in = types.ModuleType("hypothesis")
    vars(stand_in)["register_random"] = taken.append
    before = sys.modules.get("hypothesis")
    sys.modules["hypothesis"] = stand_in
    try:
        plugin()
    finally:
        if before is None:
            del sys.modules["hypothesis"]
        else:
            sys.modules["hypothesis"] = before
    if len(taken) != 1 or not isinstance(taken[0], random.Random):
        raise _refusal("its plug-in for Hypothesis hands over no Random")
    return taken[0]


def _private_names() -> dict[str, object]:
    """The namespace of trio's run loop."""
    module = sys.modules.get("trio._core._run")
    if module is None:
        raise _refusal("it has no plug-in for Hypothesis, and its run loop is not where it was")
    return vars(module)


def _by_private_names(namespace: dict[str, object]) -> random.Random:
    taken = namespace.get("_r")
    if not isinstance(taken, random.Random) or "_ALLOW_DETERMINISTIC_SCHEDULING" not in namespace:
        raise _refusal("it has no plug-in for Hypothesis, and its run loop has no Random of the name known")
    namespace["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    return taken


def _refusal(why: str) -> UsageError:
    return UsageError(f"trio {trio.__version__} cannot be simulated: {why}; use one of {KNOWN_VERSIONS}")
