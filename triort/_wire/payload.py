"""What users pickle: functions, arguments, values, exceptions. The only user of cloudpickle.

Managers and servers never import this module: nothing of it runs there. Plain ``pickle`` is tried first, since it is
several times faster; what it cannot do (lambdas, local functions), and whatever mentions ``__main__`` (which the
workers do not have), goes to cloudpickle, which is imported on first use.

Large values are not copied into their pickle. The buffers of arrays stay outside, by protocol 5. And a pickler that
writes to a file hands over `bytes` from 64 KiB on as they are, right behind the opcode that announces them: that is
replaced by the one for a buffer outside. See `large` for how such a value lies in a part.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
import traceback
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec

from triort._model.errors import (
    OutOfMemory,
    RemoteError,
    RemoteTraceback,
    TaskCancelled,
    TaskCrashed,
    TaskTimeout,
    UsageError,
)
from triort._model.ids import Digest
from triort._model.limits import CHUNK_BYTES, NAME_CHARS_MAX, OUT_OF_BAND_BYTES_MIN, TEXT_CHARS_MAX
from triort._model.outcomes import Crash, Failure, OutcomeKind
from triort._model.parts import Large
from triort._wire.large import join, own_buffers, split
from triort._wire.shared import Store

_encode_failure = msgspec.msgpack.Encoder().encode
_decode_failure = msgspec.msgpack.Decoder(Failure).decode
_decode_crash = msgspec.msgpack.Decoder(Crash).decode

_PROTOCOL = 5
_PROTOCOL_OPCODE = b"\x80"
SMALL_BYTES_MAX = 1_024
NONE = pickle.dumps(None, _PROTOCOL)


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


_Pickler = tuple[Callable[[Any], Any], Callable[[], Any], list[Any]]
"""How one pickles, how it forgets, and what it has written: pieces of pickle, and between them what it has not
copied."""


def _new_pickler(kind: type[pickle.Pickler]) -> _Pickler:
    pieces: list[Any] = []

    def take_inside(buffer: pickle.PickleBuffer) -> bool:
        data = buffer.raw()
        if len(data) < OUT_OF_BAND_BYTES_MIN:
            return True
        pieces.append(data)
        return False

    pickler = kind(SimpleNamespace(write=pieces.append), _PROTOCOL, buffer_callback=take_inside)
    return pickler.dump, pickler.clear_memo, pieces


_spare: list[_Pickler] = []
"""A pickler to be used again: to make one takes three times as long as to pickle a small value. (Not one that has had a
large value: its memo would stay as large, and is wiped each time.)"""


def dumps(value: Any, store: Store | None = None) -> bytes:
    """Pickle by plain pickle where that is safe, else by cloudpickle; raises what these raise.

    With a ``store``, a large value that could change later is copied into shared memory, if there is room.
    """
    try:
        pickler = _spare.pop() if _spare else _new_pickler(pickle.Pickler)
        dump, forget, pieces = pickler
        dump(value)
    except Exception:  # whatever plain pickle cannot do, cloudpickle decides
        return _cloudpickle_dumps(value, store)
    data, outside = (pieces[0], None) if len(pieces) == 1 else split(pieces)
    if len(data) < SMALL_BYTES_MAX and outside is None and not _spare:
        pieces.clear()
        forget()
        _spare.append(pickler)
    module = sys.modules.get("cloudpickle.cloudpickle")
    if b"__main__" in data or (module is not None and module._PICKLE_BY_VALUE_MODULES):
        return _cloudpickle_dumps(value, store)
    return data if outside is None else join(data, outside, store)


def loads(data: bytes) -> Any:
    """The value; its arrays are the caller's own. Raises whatever unpickling raises."""
    if not isinstance(data, Large) and data[:1] == _PROTOCOL_OPCODE:
        return pickle.loads(data)
    pickled, outside = own_buffers(data)
    return pickle.loads(pickled, buffers=outside)


def ship_by_value(module: ModuleType) -> None:
    """From now on, what is defined in ``module`` (which is in `sys.modules`) travels whole, for workers that cannot
    import it."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(module)


def _cloudpickle_dumps(value: Any, store: Store | None) -> bytes:
    import cloudpickle

    dump, _, pieces = _new_pickler(cloudpickle.CloudPickler)
    dump(value)
    return join(*split(pieces), store)


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


Calls = Sequence[tuple[tuple[Any, ...], dict[str, Any]]]


def dump_calls(
    function: object, calls: Calls, store: Store | None = None
) -> tuple[list[bytes], dict[int, tuple[Digest, ...]]]:
    """Pickle the arguments of calls; gives the refs of those that have some, too. Raises `UsageError` naming function
    and argument."""
    outer = _Refs.collected
    dumped: list[bytes] = []
    refs: dict[int, tuple[Digest, ...]] = {}
    collected = _Refs.collected = {}
    try:
        for args, kwargs in calls:
            dumped.append(dumps((args, kwargs or None), store))
            if collected:
                refs[len(dumped) - 1] = tuple(collected)
                collected = _Refs.collected = {}
    except Exception as exc:
        _Refs.collected = {}
        args, kwargs = calls[len(dumped)]
        raise _bad_argument(function, args, kwargs, exc) from exc
    finally:
        _Refs.collected = outer
    return dumped, refs


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


def load_error(kind: int, payload: bytes, task: str) -> Exception:
    """The exception that stands for an outcome that is not a value."""
    payload = bytes(payload)
    match OutcomeKind(kind):
        case OutcomeKind.ERROR:
            return _load_failure(_decode_failure(payload))
        case OutcomeKind.TIMEOUT:
            return TaskTimeout(f"task {task} did not end within {payload.decode()} s")
        case OutcomeKind.CRASHED:
            crash = _decode_crash(payload)
            return OutOfMemory(task, crash) if crash.out_of_memory else TaskCrashed(task, crash)
        case _:
            return TaskCancelled(f"task {task} has been cancelled")


def _load_failure(failure: Failure) -> Exception:
    exc: Exception | None = None
    if failure.pickled is not None:
        try:
            exc = loads(failure.pickled)
        except Exception as why:  # its class may not be importable here
            exc = None
            failure = msgspec.structs.replace(failure, traceback=f"{failure.traceback}\n(not loaded: {describe(why)})")
    if not isinstance(exc, Exception):
        exc = RemoteError(failure.type_name, failure.text, failure.traceback)
    exc.__cause__ = RemoteTraceback(failure.traceback)
    return exc
