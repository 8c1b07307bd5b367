"""How values become bytes, and come back: plain pickle, several times faster, where that is safe; else cloudpickle.

What plain pickle cannot do (lambdas, local functions), and whatever mentions ``__main__`` (which the workers do not
have), goes to cloudpickle, which is imported on first use. In a process that multiprocessing has spawned the script is
called ``__mp_main__``; cloudpickle does not know that name.

Large values are not copied into their pickle. The buffers of arrays stay outside, by protocol 5. And a pickler that
writes to a file hands over `bytes` from 64 KiB on as they are, right behind the opcode that announces them: that is
replaced by the one for a buffer outside. See `large` for how such a value lies in a part. That pickler takes a few
times as long as plain `pickle.dumps`, which is tried first where nothing looks large.
"""

from __future__ import annotations

import functools
import pickle
import sys
from collections import ChainMap
from collections.abc import Callable, Iterable
from pickle import PicklingError as PicklingError
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any, ClassVar

from triort._model.limits import CHUNK_BYTES, OUT_OF_BAND_BYTES_MIN, WHOLE_FUNCTION_BYTES_MAX, WHOLE_FUNCTIONS_MAX
from triort._wire.large import join, own_buffers, split
from triort._wire.shared import Store
from triort._wire.snapshots import Snapshot, take_snapshot

PROTOCOL = 5
_PROTOCOL_OPCODE = 0x80
_LARGE_BYTES_MIN = CHUNK_BYTES - 8
"""From so many bytes on their pickle is above a chunk."""
_NO_FILE = "<dynamic-code>"
_END_OF_MAINS = b"main__"
_SPAWNED_MAIN = "__mp_main__"
_plain_dumps, _plain_loads = pickle.dumps, pickle.loads


class _LargeError(Exception):
    """There is a large buffer in what is pickled."""


def dumps(value: Any, store: Store | None = None, *, is_large: bool = False) -> bytes:
    """Pickle by plain pickle where that is safe, else by cloudpickle; raises what these raise.

    With a ``store``, a large value that could change later is copied into shared memory, if there is room.
    ``is_large``: the caller knows that there are large `bytes` in it.
    """
    if not is_large and not (type(value) is bytes and len(value) >= _LARGE_BYTES_MIN):
        try:
            data = _plain_dumps(value, PROTOCOL, buffer_callback=_keep_small)
            if len(data) <= CHUNK_BYTES:
                return _cloudpickle_dumps(value, store) if _is_unsafe(data) else data
        except _LargeError:
            pass  # once more, without copying it
        except Exception:  # whatever plain pickle cannot do, cloudpickle decides
            return _cloudpickle_dumps(value, store)
    try:
        data, outside = split(_pieces_of(pickle.Pickler, value))
    except Exception:
        return _cloudpickle_dumps(value, store)
    return _cloudpickle_dumps(value, store) if _is_unsafe(data) else join(data, outside, store)


def dump_small(values: Iterable[Any]) -> list[bytes] | None:
    """The pickles of many values, looked at together if they are short: for that takes as long as to pickle one. None
    if that cannot be done, since one of them is large, say, or needs cloudpickle."""
    dumped: list[bytes] = []
    try:
        for value in values:
            data = _plain_dumps(value, PROTOCOL, buffer_callback=_keep_small)
            if len(data) > CHUNK_BYTES:
                return None  # before more of that kind are pickled in vain
            dumped.append(data)
    except Exception:
        return None
    together = [b"".join(dumped)] if sum(map(len, dumped)) <= CHUNK_BYTES else dumped
    return None if any(map(_is_unsafe, together)) else dumped


def has_large(calls: Iterable[Iterable[Any]]) -> bool:
    """Whether there are large `bytes` among the arguments of these calls."""
    for args in calls:
        for value in args:
            if type(value) is bytes and len(value) >= _LARGE_BYTES_MIN:
                return True
    return False


def loads(data: bytes) -> Any:
    """The value; its arrays are the caller's own. Raises whatever unpickling raises."""
    if type(data) is bytes and data and data[0] == _PROTOCOL_OPCODE:
        return _plain_loads(data)
    pickled, outside = own_buffers(data)
    return _plain_loads(pickled, buffers=outside)


def ship_by_value(module: ModuleType) -> None:
    """From now on, what is defined in ``module`` (which is in `sys.modules`) travels whole, for workers that cannot
    import it."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(module)


def _keep_small(buffer: pickle.PickleBuffer) -> bool:
    """A buffer of an array: a small one lies in the pickle."""
    if len(buffer.raw()) >= OUT_OF_BAND_BYTES_MIN:
        raise _LargeError
    return True


def _is_unsafe(data: bytes) -> bool:
    """Whether a plain pickle means something else elsewhere."""
    return data.find(_END_OF_MAINS) >= 0 or _modules_by_value()  # `in` would look for an int first


def _modules_by_value() -> bool:
    """Whether there are modules whose functions travel whole as well."""
    module = sys.modules.get("cloudpickle.cloudpickle")
    return module is not None and bool(module._PICKLE_BY_VALUE_MODULES)


def _cloudpickle_dumps(value: Any, store: Store | None) -> bytes:
    if type(value) is FunctionType and not _modules_by_value():
        return _whole_functions.dumps(value, store)
    return join(*split(_pieces_of(_cloud_pickler(), value)), store)


class _WholeFunctions:
    """The pickles of functions that travel whole, for as long as they would come out the same. Long ones are not kept:
    whoever makes a new function for each job would keep as many times what these mention."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[FunctionType, Snapshot, bytes]] = {}

    def dumps(self, function: FunctionType, store: Store | None) -> bytes:
        kept = self._kept.get(id(function))
        if kept is not None and kept[0] is function and kept[1].is_current():
            return kept[2]
        snapshot = take_snapshot(function)
        data = join(*split(_pieces_of(_cloud_pickler(), function)), store)
        if snapshot is not None and len(data) <= WHOLE_FUNCTION_BYTES_MAX:
            if len(self._kept) >= WHOLE_FUNCTIONS_MAX:
                self._kept.clear()
            self._kept[id(function)] = function, snapshot, data
        return data


_whole_functions = _WholeFunctions()


@functools.cache
def _cloud_pickler() -> Callable[..., Any]:
    """A pickler that travels with all that it needs. Code keeps its file's name, which cloudpickle from 3.1.3 on takes
    away, and a traceback needs in order to show lines."""
    import cloudpickle

    reduce_plainly = cloudpickle.CloudPickler.dispatch_table[CodeType]

    def reduce_code(code: CodeType) -> tuple[Any, ...]:
        make, arguments = reduce_plainly(code)
        return make, tuple(code.co_filename if each == _NO_FILE else each for each in arguments)

    class CodePickler(cloudpickle.CloudPickler):  # type: ignore[misc]
        dispatch_table: ClassVar = ChainMap({CodeType: reduce_code}, cloudpickle.CloudPickler.dispatch_table)

        def reducer_override(self, obj: Any) -> Any:
            if type(obj) is FunctionType and obj.__module__ == _SPAWNED_MAIN:
                return self._dynamic_function_reduce(obj)
            if isinstance(obj, type) and obj.__module__ == _SPAWNED_MAIN:
                return cloudpickle.cloudpickle._dynamic_class_reduce(obj)
            return super().reducer_override(obj)

    return CodePickler


def _pieces_of(kind: Callable[..., Any], value: Any) -> list[Any]:
    """What a pickler writes: pieces of pickle, and between them what it has not copied."""
    pieces: list[Any] = []

    def take_inside(buffer: pickle.PickleBuffer) -> bool:
        data = buffer.raw()
        if len(data) < OUT_OF_BAND_BYTES_MIN:
            return True
        pieces.append(data)
        return False

    kind(SimpleNamespace(write=pieces.append), PROTOCOL, buffer_callback=take_inside).dump(value)
    return pieces
