"""What users pickle: functions, arguments, values, exceptions.

Managers and servers never import this module: nothing of it runs there. How a value is pickled is in `pickling`.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from triort._model.errors import (
    JobRejected,
    OutOfMemory,
    ProtocolError,
    RemoteError,
    RemoteTraceback,
    TaskCancelled,
    TaskCrashed,
    TaskTimeout,
    UsageError,
)
from triort._model.ids import Digest
from triort._model.limits import CHUNK_BYTES, NAME_CHARS_MAX, REFS_MAX, TEXT_CHARS_MAX
from triort._model.outcomes import REJECTED, Crash, Failure, OutcomeKind
from triort._model.parts import Large
from triort._wire.pickling import dump_small, has_large
from triort._wire.pickling import dumps as dumps
from triort._wire.pickling import loads as loads
from triort._wire.pickling import ship_by_value as ship_by_value
from triort._wire.shared import Store

_encode_failure = msgspec.msgpack.Encoder().encode
_decode_failure = msgspec.msgpack.Decoder(Failure).decode
_decode_crash = msgspec.msgpack.Decoder(Crash).decode

NONE = dumps(None)


class Ref:
    """A value put by `Runtime.put`: pass it as an argument, and the task gets the value.

    It travels as its digest; the value itself goes over each link once and is kept by each worker until the job ends.
    """

    __slots__ = ("digest",)

    def __init__(self, digest: Digest) -> None:
        self.digest = digest

    def __reduce__(self) -> tuple[Callable[[Digest], Any], tuple[Digest]]:
        if _Refs.collected is None:
            raise UsageError("a triort Ref can only be passed as an argument of submit or map")
        _Refs.collected[self.digest] = None
        return _resolve, (self.digest,)


class _Refs:
    """Which refs the current dump has met, and how the current load finds their values."""

    collected: dict[Digest, None] | None = None
    resolve: Callable[[Digest], Any] | None = None


def _resolve(digest: Digest) -> Any:
    if _Refs.resolve is None:
        raise UsageError("a triort Ref can only be loaded as an argument of a task")
    return _Refs.resolve(digest)


def digest_of(data: bytes) -> Digest:
    """The name of a blob."""
    digest = hashlib.blake2b(digest_size=16)
    for piece in data.pieces(CHUNK_BYTES) if isinstance(data, Large) else (data,):
        digest.update(piece)
    return Digest(digest.digest())


def name_of(function: object) -> str:
    """How a callable is named to people."""
    name = getattr(function, "__qualname__", None) or getattr(getattr(function, "func", None), "__qualname__", None)
    return (name or type(function).__qualname__)[:NAME_CHARS_MAX]


def dump_function(function: Callable[..., Any]) -> tuple[Digest, bytes]:
    """Pickle a task function; raises `UsageError` that names it when that cannot be done."""
    if not callable(function):
        raise UsageError(f"a task needs a function, not {function!r:.{NAME_CHARS_MAX}}")
    try:
        data = dumps(function)
    except Exception as exc:
        raise UsageError(f"the function {name_of(function)} cannot be pickled: {describe(exc)}") from exc
    return digest_of(data), data


Calls = Sequence[tuple[Any, ...]]
"""The positional arguments of each call of one function."""


def dump_calls(
    function: object, calls: Calls, kwargs: dict[str, Any], store: Store | None = None
) -> tuple[list[bytes], dict[int, tuple[Digest, ...]]]:
    """Pickle the arguments of calls, all with these ``kwargs``; gives the refs of those that have some, too. Raises
    `UsageError` naming function and argument."""
    outer = _Refs.collected
    dumped: list[bytes] = []
    refs: dict[int, tuple[Digest, ...]] = {}
    collected = _Refs.collected = {}
    try:
        if len(calls) > 1 and not has_large(calls):
            small = dump_small(_until_ref(calls, kwargs, collected))
            if small is not None and not collected:
                return small, refs
            collected.clear()
        for args in calls:
            dumped.append(dumps((args, kwargs or None), store, is_large=has_large((args,))))
            if collected:
                refs[len(dumped) - 1] = tuple(collected)
                collected = _Refs.collected = {}
    except Exception as exc:
        _Refs.collected = {}
        raise _bad_argument(function, calls[len(dumped)], kwargs, exc) from exc
    finally:
        _Refs.collected = outer
    if (most := max(map(len, refs.values()), default=0)) > REFS_MAX:
        raise UsageError(f"a call of {name_of(function)} has {most} refs, and at most {REFS_MAX} go with one call")
    return dumped, refs


def _until_ref(
    calls: Calls, kwargs: dict[str, Any], collected: dict[Digest, None]
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any] | None]]:
    """What of each call is pickled, up to the first one in which a ref was met."""
    for args in calls:
        yield args, kwargs or None
        if collected:
            return


def _bad_argument(function: object, args: tuple[Any, ...], kwargs: dict[str, Any], exc: Exception) -> UsageError:
    named = [(f"argument {i + 1}", value) for i, value in enumerate(args)]
    named += [(f"argument {name!r}", value) for name, value in kwargs.items()]
    for label, value in named:
        try:
            dumps(value)
        except Exception as reason:
            kind = type(value).__qualname__
            return UsageError(f"{label} of {name_of(function)} ({kind}) cannot be pickled: {describe(reason)}")
    return UsageError(f"the arguments of {name_of(function)} cannot be pickled: {describe(exc)}")


def load_call(data: bytes, resolve: Callable[[Digest], Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call."""
    _Refs.resolve = resolve
    try:
        args, kwargs = loads(data)
    finally:
        _Refs.resolve = None
    return args, kwargs or {}


def describe(exc: BaseException) -> str:
    """Type and text of an exception on one capped line."""
    line = " ".join(_text_of(exc).split())
    return f"{type(exc).__qualname__}: {line[:500]}" if line else type(exc).__qualname__


def dump_failure(exc: BaseException) -> bytes:
    """An exception as the payload of an ERROR outcome; pickled only if it is an `Exception` that survives a round trip.

    Whatever the exception's own methods do, this returns.
    """
    trace = _traceback_of(exc)
    if len(trace) > TEXT_CHARS_MAX:
        trace = f"{trace[: TEXT_CHARS_MAX // 2]}\n  [...]\n{trace[-TEXT_CHARS_MAX // 2 :]}"
    kind = type(exc)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")[:NAME_CHARS_MAX]
    return _encode_failure(Failure(_plain(name), _plain(_text_of(exc)[:TEXT_CHARS_MAX]), _plain(trace), _pickled(exc)))


def _text_of(exc: BaseException) -> str:
    try:
        return str(exc)
    except BaseException as inner:  # a user's __str__ may raise anything
        return f"<no text: {type(inner).__name__}>"


def _traceback_of(exc: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(exc))
    except BaseException as inner:  # it asks for __str__, __notes__ and more
        frames = "".join(traceback.format_tb(exc.__traceback__))
        return f"{frames}{type(exc).__name__} (not shown: {type(inner).__name__})\n"


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _pickled(exc: BaseException) -> bytes | None:
    if not isinstance(exc, Exception) or isinstance(exc, StopIteration | StopAsyncIteration):
        return None  # the last two mean something else to whoever awaits
    try:
        data = bytes(dumps(exc))
        again = loads(data)
    except BaseException:  # it does not survive: it travels as a RemoteError
        return None
    return data if type(again) is type(exc) or b"__main__" in data else None


def load_outcome(kind: int, payload: bytes, task: str) -> Any:
    """The value of a task, or its exception raised with the remote traceback as its cause."""
    if kind == OutcomeKind.VALUE:
        return loads(payload)
    raise load_error(kind, payload, task)


def load_error(kind: int, payload: bytes, task: str, *, unpickle: bool = True) -> Exception:
    """The exception that stands for an outcome that is not a value; a `ProtocolError` for one that makes no sense.
    Without ``unpickle`` that of a task is a `RemoteError`: for who only passes it on, and may not know its class."""
    try:
        return _load_error(kind, bytes(payload), task, unpickle=unpickle)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        return ProtocolError(f"what has become of the task {task} cannot be read: {describe(exc)}")


def _load_error(kind: int, payload: bytes, task: str, *, unpickle: bool) -> Exception:
    match OutcomeKind(kind):
        case OutcomeKind.ERROR:
            return _load_failure(_decode_failure(payload), unpickle=unpickle)
        case OutcomeKind.TIMEOUT:
            return TaskTimeout(f"task {task} did not end within {payload.decode()} s")
        case OutcomeKind.CRASHED:
            crash = _decode_crash(payload)
            return OutOfMemory(task, crash) if crash.out_of_memory else TaskCrashed(task, crash)
        case _:
            return TaskCancelled(f"task {task} has been cancelled")


def _load_failure(failure: Failure, *, unpickle: bool) -> Exception:
    if failure.type_name == REJECTED:
        return JobRejected(failure.text)
    exc: Exception | None = None
    if unpickle and failure.pickled is not None:
        try:
            exc = loads(failure.pickled)
        except Exception as why:  # its class may not be importable here
            exc = None
            failure = msgspec.structs.replace(failure, traceback=f"{failure.traceback}\n(not loaded: {describe(why)})")
    if not isinstance(exc, Exception):
        exc = RemoteError(failure.type_name, failure.text, failure.traceback)
    exc.__cause__ = RemoteTraceback(failure.traceback)
    return exc
