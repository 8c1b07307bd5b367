"""The errors of the `Executor`: each is one of triort's, and the one that `concurrent.futures` has for the case."""

from concurrent.futures.process import BrokenProcessPool

from triort._model.errors import TriortError, UsageError
from triort._wire.pickling import PicklingError


class BrokenPool(TriortError, BrokenProcessPool):
    """The cluster of an `Executor` is gone, or its initializer has failed: what was open there is lost, and it takes no
    more calls. Also a `concurrent.futures.process.BrokenProcessPool`."""


class BadValue(UsageError, ValueError):
    """An argument of the `Executor` that makes no sense."""


class BadType(UsageError, TypeError):
    """An argument of the `Executor` that has the wrong type."""


class NotPicklable(UsageError, PicklingError):
    """The function or an argument of a call cannot be pickled."""
