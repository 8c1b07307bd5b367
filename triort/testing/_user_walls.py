"""What a simulated run of a user's test is kept from beside the tripwires: real clusters; and how Ctrl-C ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from triort._model.errors import UsageError
from triort._node.machine import OwnMachine

TO_REALITY = tuple((OwnMachine, name) for name in ("open_template", "dial", "dial_once", "listen"))


@contextmanager
def no_real_cluster() -> Iterator[None]:
    """Inside, `open_cluster`, `open_client` and real nodes cannot start."""
    kept = [(owner, name, vars(owner)[name]) for owner, name in TO_REALITY]
    for owner, name, _ in kept:
        setattr(owner, name, _refuse)
    try:
        yield
    finally:
        for owner, name, original in kept:
            setattr(owner, name, original)


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise UsageError("a simulated run has a cluster, and no other; use: async with sim.client() as client")


@contextmanager
def ended_by_ctrl_c(end: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C raises `KeyboardInterrupt` where it hits, and again at the end of the block, whatever has become of it.

    Where it hits may be a task, which would only fail of it; so ``end`` is called, too.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        end()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except BaseException:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupted:
        raise KeyboardInterrupt
