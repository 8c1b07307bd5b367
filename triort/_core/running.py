"""Tasks that have started at a worker, their children, and what the node is to do about them."""

from __future__ import annotations

from typing import Any, NamedTuple

import attrs
import msgspec

from triort._core.attempts import Attempt, Result
from triort._model.ids import Address


class Running(msgspec.Struct, eq=False, weakref=True):
    """A task that has started here."""

    attempt: Attempt
    root: Address
    """The nearest ancestor, or the task itself, that the boss has given to this worker: what the boss knows of it."""
    handle: Any = None
    """The node's: how to stop or resume it."""
    function: Any = None
    """The node's: what is called, once it is loaded."""
    started_ns: int = 0
    """When, on the node's clock."""
    holds_slot: bool = True
    waits: int = 0
    """How many of the task's own trio tasks wait for children; the slot is free while any does."""
    waited_ns: int = 0
    """For how long, in all."""
    children: dict[Address, Child] = msgspec.field(default_factory=dict)
    messages: list[bytes] = msgspec.field(default_factory=list)
    result: Result | None = None
    cancelled: bool = False


@attrs.define(eq=False)
class Child:
    """The owner's side of a task that a task here has submitted: it waits for exactly one outcome."""

    attempt: Attempt
    parent: Running
    future: Any
    index: int
    cancelled: bool = False
    timed_out: bool = False
    crashes: int = 0
    retries: int = 0


class Settled(NamedTuple):
    """For the node: a child has its outcome."""

    child: Child
    result: Result


class Stop(NamedTuple):
    """For the node: this running task is cancelled."""

    running: Running


class Heard(NamedTuple):
    """For the node: a message for this running task is in its list."""

    running: Running
