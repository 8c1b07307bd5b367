"""Values that only dill can pickle. BQSKit depends on it, and pickles what its tasks submit with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dill


class ByDill:
    """Stands for a value where it is pickled; where this is unpickled, it is the value again."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the value: it may stand for a function."""
        return self._value(*args, **kwargs)

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return dill.loads, (dill.dumps(self._value),)
