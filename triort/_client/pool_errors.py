"""The errors of the `Executor`: each is one of triort's, and the one that `concurrent.futures` has for the case."""

from concurrent.futures.process import BrokenProcessPool

from triort._model.errors import OutOfMemory, TaskCrashed, TriortError, UsageError
from triort._wire.pickling import PicklingError


class BrokenPool(TriortError, BrokenProcessPool):
    """The cluster of an `Executor` is gone, or its initializer has failed: what was open there is lost, and it takes no
    more calls. Also a `concurrent.futures.process.BrokenProcessPool`."""


class CrashedCall(TaskCrashed, BrokenProcessPool):
    """The workers of a call died, as often as that is allowed. The pool goes on; but the standard library has
    `BrokenProcessPool` for a call whose process has ended, and so this is one, too."""


class OutOfMemoryCall(OutOfMemory, CrashedCall):
    """The worker of a call went over its memory limit."""


def as_pool_error(error: Exception) -> Exception:
    """The error of a call, as an `Executor` tells it."""
    if not isinstance(error, TaskCrashed):
        return error
    kind = OutOfMemoryCall if isinstance(error, OutOfMemory) else CrashedCall
    return kind(error.task, error.crash)


class BadValue(UsageError, ValueError):
    """An argument of the `Executor` that makes no sense."""


class BadType(UsageError, TypeError):
    """An argument of the `Executor` that has the wrong type."""


class NotPicklable(UsageError, PicklingError):
    """The function or an argument of a call cannot be pickled."""
