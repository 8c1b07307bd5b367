"""Tripwires: code under test that reaches for the world outside gets one clear line, and no run beyond replay.

They lie in the modules of the standard library, as replaced attributes, for the time of a run. Each looks at the
frame it is called from. Time and randomness are for code under test alone to avoid: the standard library, trio and
other installed packages use them for themselves (a log record has a time). Threads, sockets and processes are
forbidden also by way of libraries, for the run waits for nothing outside. triort's own code is never stopped.

Functions that the scenario's modules have imported by name (``from time import monotonic``) are replaced there too.
Not covered: references kept elsewhere before the run (default arguments, attributes of classes, containers); what
compiled code does by itself, such as ``numpy.random``; ``import datetime`` within a function; methods of random
generators, sockets or executors that were made before the run; files; the order of sets of strings. The check that
runs everything twice finds what comes of those.
"""

from __future__ import annotations

import functools
import importlib
import random
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from triort.testing._trio.dates import Present, stand_ins
from triort.testing._trio.failures import OutsideWorld
from triort.testing._trio.origins import Origin, Origins, origins
from triort.testing._trio.patches import Patches

TIME = ("real time", "use trio.current_time() and trio.sleep(), or sim.time")
CHANCE = ("real randomness", "use sim.rng or sim.uuid4(), or a random.Random with a seed")
THREADS = ("threads", "use trio tasks")
SOCKETS = ("the network", "use the simulated cluster")
PROCESSES = ("processes", "use the simulated cluster")

Reason = tuple[str, str]

CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
DIRECT: dict[str, tuple[Reason, list[str]]] = {
    "time": (TIME, ["sleep", *CLOCKS, *(f"{clock}_ns" for clock in CLOCKS)]),
    "os": (CHANCE, ["urandom", "getrandom"]),
    "uuid": (CHANCE, ["uuid1", "uuid4", "uuid6", "uuid7"]),
    "secrets": (CHANCE, ["token_bytes", "token_hex", "token_urlsafe", "randbelow", "choice", "randbits"]),
}
BEHIND_LIBRARIES: dict[str, tuple[Reason, list[str]]] = {
    "_thread": (THREADS, ["start_new_thread", "start_joinable_thread"]),
    "trio.to_thread": (THREADS, ["run_sync"]),
    "socket": (SOCKETS, ["socketpair", "create_connection", "create_server", "getaddrinfo", "gethostbyname"]),
    "os": (PROCESSES, ["fork", "forkpty", "posix_spawn", "posix_spawnp", "system"]),
}
WITHOUT_ARGUMENT = ["localtime", "gmtime", "ctime"]
"""Functions of `time` that take the present time only if they get none."""


@contextmanager
def tripwires(*, watched: Sequence[str] = ()) -> Iterator[None]:
    """Inside, code under test gets `OutsideWorld` where it reaches outside; ``watched``: installed packages of it."""
    fence = _Fence(origins(tuple(watched)))
    try:
        fence.set()
        yield
    finally:
        fence.take_away()


@attrs.define(eq=False)
class _Fence:
    origins: Origins
    active: bool = False
    patches: Patches = attrs.field(factory=Patches)

    def set(self) -> None:
        for table, behind_libraries in ((DIRECT, False), (BEHIND_LIBRARIES, True)):
            for module_name, (reason, names) in table.items():
                module = importlib.import_module(module_name)
                for name in names:
                    self._guard(module, module_name, name, reason, behind_libraries)
        for name in WITHOUT_ARGUMENT:
            self._guard_if_without_argument(importlib.import_module("time"), "time", name, TIME, 1)
        self._guard_module_level_random()
        self._guard_classes()
        self.patches.replace(Present, "check", functools.partial(self.check, TIME, behind_libraries=False))
        for original, stand_in in stand_ins():
            self.patches.replace_where_imported(original, stand_in)
        self.patches.replace_imported(lambda file: self.origins.of(file) is Origin.CODE_UNDER_TEST)
        self.active = True

    def take_away(self) -> None:
        self.active = False  # for what still holds one of our functions
        self.patches.restore()

    def check(self, reason: Reason, name: str, *, behind_libraries: bool) -> None:
        """Raise if code under test has called the function that calls this."""
        frame = self.origins.culprit(behind_libraries=behind_libraries) if self.active else None
        if frame is not None:
            what, instead = reason
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            raise OutsideWorld(f"a simulated run may not use {what} ({name}, called at {place}); {instead}")

    def _guard(self, owner: object, owner_name: str, name: str, reason: Reason, behind_libraries: bool) -> None:
        """Replace a function, if it is there, by one that looks who calls."""
        original = vars(owner).get(name)
        if original is None:
            return
        shown = f"{owner_name}.{name}".removesuffix(".__init__")

        @functools.wraps(original)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self.check(reason, shown, behind_libraries=behind_libraries)
            return original(*args, **kwargs)

        self.patches.replace(owner, name, guarded)

    def _guard_if_without_argument(self, owner: object, owner_name: str, name: str, reason: Reason, least: int) -> None:
        """As `_guard`, for what reaches outside only if its argument is missing, or None."""
        original = vars(owner)[name]
        shown = f"{owner_name}.{name}".removesuffix(".__init__")

        @functools.wraps(original)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            given = [*args, *kwargs.values()][:least]
            if len(given) < least or given[-1] is None:
                self.check(reason, shown + "()", behind_libraries=False)
            return original(*args, **kwargs)

        self.patches.replace(owner, name, guarded)

    def _guard_module_level_random(self) -> None:
        """The functions of the module are methods of one hidden generator."""
        hidden = getattr(random.seed, "__self__", None)
        for name in [name for name, value in vars(random).items() if getattr(value, "__self__", None) is hidden]:
            self._guard(random, "random", name, CHANCE, False)

    def _guard_classes(self) -> None:
        self._guard_if_without_argument(random.Random, "random.Random", "__init__", CHANCE, 2)
        self._guard_if_without_argument(random.Random, "random.Random", "seed", CHANCE, 2)
        self._guard(random.SystemRandom, "random.SystemRandom", "random", CHANCE, False)
        self._guard(random.SystemRandom, "random.SystemRandom", "getrandbits", CHANCE, False)
        self._guard(threading.Thread, "threading.Thread", "start", THREADS, True)
        self._guard(socket.socket, "socket.socket", "__init__", SOCKETS, True)
        self._guard(subprocess.Popen, "subprocess.Popen", "__init__", PROCESSES, True)
