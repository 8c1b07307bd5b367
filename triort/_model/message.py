"""What all messages have in common, and what they say of tasks."""

import msgspec

from triort._model.ids import Digest, JobId
from triort._model.limits import CRASH_LIMIT


class Options(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a user may ask for a task beyond its function and arguments."""

    name: str | None = None
    log_context: dict[str, str] = {}
    timeout_s: float | None = None
    crash_limit: int = CRASH_LIMIT
    at_most_once: bool = False
    retries: int = 0
    priority: int = 0


class TaskSpec(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the tasks of one ``submit`` or ``map`` have in common."""

    job: JobId
    function: Digest
    function_name: str
    depth: int
    options: Options
    blobs: tuple[Digest, ...] = ()
    log_level: int = 30


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all messages."""
