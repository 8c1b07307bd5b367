"""Task options, as `Client.options` and `Runtime.options` set them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from triort._model.errors import UsageError
from triort._model.limits import NAME_CHARS_MAX, TEXT_CHARS_MAX
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
    return check_options(
        msgspec.structs.replace(options, **{key: value for key, value in given.items() if value is not None})
    )


def check_options(options: Options) -> Options:
    """The options, if each has its type and a length that fits into a header; raises `UsageError`."""
    try:
        checked = msgspec.convert(msgspec.to_builtins(options), Options, strict=True)
        msgspec.msgpack.encode(checked)
    except UnicodeEncodeError as exc:
        raise UsageError(f"a task's name or log_context holds what UTF-8 does not ({exc.reason})") from None
    except (msgspec.ValidationError, TypeError, OverflowError) as exc:
        raise UsageError(
            "a task option has the wrong type: name is a str, log_context maps str to str, priority and retries are "
            f"int, timeout_s is a float ({exc})"
        ) from None
    if checked.name is not None and len(checked.name) > NAME_CHARS_MAX:
        raise UsageError(f"a task's name has at most {NAME_CHARS_MAX} characters, not {len(checked.name)}")
    size = sum(len(key) + len(value) for key, value in checked.log_context.items())
    if size > TEXT_CHARS_MAX:
        raise UsageError(f"a task's log_context has at most {TEXT_CHARS_MAX} characters in all, not {size}")
    return checked
