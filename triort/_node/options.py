"""Task options, as `Client.options` and `Runtime.options` set them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from triort._model.errors import UsageError
from triort._model.messages import Options


def set_options(
    options: Options,
    name: str | None,
    log_context: Mapping[str, str] | None,
    timeout_s: float | None,
    crash_limit: int | None,
    at_most_once: bool | None,
    retries: int | None,
    priority: int | None,
) -> Options:
    """The options with those replaced that are not None; raises `UsageError` for one that makes no sense."""
    if timeout_s is not None and not (timeout_s > 0 and math.isfinite(timeout_s)):
        raise UsageError(f"timeout_s is a positive number of seconds, not {timeout_s!r}")
    if crash_limit is not None and crash_limit < 1:
        raise UsageError(f"crash_limit is at least 1, not {crash_limit!r}")
    if retries is not None and retries < 0:
        raise UsageError(f"retries is at least 0, not {retries!r}")
    given = {
        "name": name,
        "log_context": None if log_context is None else {**options.log_context, **log_context},
        "timeout_s": timeout_s,
        "crash_limit": crash_limit,
        "at_most_once": at_most_once,
        "retries": retries,
        "priority": priority,
    }
    return msgspec.structs.replace(options, **{key: value for key, value in given.items() if value is not None})
