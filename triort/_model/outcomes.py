"""How a task can end. Exactly one of these reaches its parent."""

import enum

import msgspec


class OutcomeKind(enum.IntEnum):
    """What the payload of an outcome means."""

    VALUE = 0
    """The function returned; the payload is its pickled value."""
    ERROR = 1
    """The function raised; the payload is a `Failure`."""
    CANCELLED = 2
    """It was cancelled, before or after its start; no payload."""
    TIMEOUT = 3
    """Its deadline passed; the payload is the timeout in seconds, as text."""
    CRASHED = 4
    """Its workers died as often as allowed; the payload is a `Crash`."""


REJECTED = "JobRejected"
"""The type of a failure that the server itself has made: it did not take an item."""


class Failure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An exception on its way home: readable for everybody, unpickled by the waiting task or client alone."""

    type_name: str
    text: str
    traceback: str
    pickled: bytes | None = None


class Crash(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known about the end of a worker that took a task with it."""

    worker: str
    pid: int = 0
    signal: int | None = None
    exit_code: int | None = None
    memory_bytes: int | None = None
    stderr_tail: str = ""
    attempts: int = 1
    out_of_memory: bool = False
    alone: bool = False
    """Whether the worker had nothing else."""
    workers_lost: int = 0
    """How many workers its job has cost, when that is why it was stopped."""
