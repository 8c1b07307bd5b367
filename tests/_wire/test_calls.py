"""The arguments of many calls are pickled together: what comes out is what each of them alone would give."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import cloudpickle
import pytest

from triort._model.errors import UsageError
from triort._model.ids import Digest
from triort._model.limits import CHUNK_BYTES
from triort._wire import payload, pickling

NOTHING: dict[str, Any] = {}


def one_by_one(calls: payload.Calls, kwargs: dict[str, Any] = NOTHING) -> list[bytes]:
    return [payload.dump_calls(len, [args], kwargs)[0][0] for args in calls]


class Stateful:
    """Pickles otherwise each time."""

    count = 0

    def __reduce__(self) -> tuple[Any, ...]:
        Stateful.count += 1
        return int, (Stateful.count,)


@pytest.mark.parametrize(
    "calls",
    [
        [(1,), ("two",), (3.0, [4])],
        [(1,), (b"x" * (CHUNK_BYTES + 1),), (2,)],
        [("y" * CHUNK_BYTES,), ("z",)],
        [(1,), (lambda x: x + 1,), (2,)],
        [("__main__",), ("mai",), ("n__",)],
        [("a", b"mai"), (b"n__",)],
        [(b"x" * (CHUNK_BYTES // 2),)] * 3,
    ],
)
@pytest.mark.parametrize("kwargs", [{}, {"key": 1}])
def test_many_calls_are_pickled_as_each_alone(calls: payload.Calls, kwargs: dict[str, Any]) -> None:
    dumped, refs = payload.dump_calls(len, calls, kwargs)
    assert (list(map(bytes, dumped)), refs) == (list(map(bytes, one_by_one(calls, kwargs))), {})


def test_what_is_in_main_travels_whole_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stateful, "__module__", "__main__")
    (one, whole), _ = payload.dump_calls(len, [(1,), (Stateful,)], {})
    assert len(one) < 200 < 300 < len(whole)


def test_what_a_module_that_travels_whole_defines_does_so_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _ = payload.dump_calls(len, [(Stateful,), (Stateful,)], {})
    assert max(map(len, plain)) < 200
    monkeypatch.setattr(cloudpickle.cloudpickle, "_PICKLE_BY_VALUE_MODULES", {__name__})
    whole, _ = payload.dump_calls(len, [(Stateful,), (Stateful,)], {})
    assert min(map(len, whole)) > 400


def test_refs_are_found_in_the_call_that_has_them() -> None:
    refs = [payload.Ref(Digest(bytes([number]) * 16)) for number in range(3)]
    _, found = payload.dump_calls(len, [(1,), (refs[0], refs[1]), (2,), (refs[2],)], {})
    assert found == {1: (refs[0].digest, refs[1].digest), 3: (refs[2].digest,)}
    _, found = payload.dump_calls(len, [(1,), (2,)], {"shared": refs[0]})
    assert found == {0: (refs[0].digest,), 1: (refs[0].digest,)}


def test_the_argument_that_cannot_be_pickled_is_named_among_others() -> None:
    with pytest.raises(UsageError, match=r"argument 2 of len \(lock\) cannot be pickled"):
        payload.dump_calls(len, [(1, 2), (3, threading.Lock()), (4, 5)], {})
    with pytest.raises(UsageError, match="can only be passed as an argument"):  # nothing of that is left behind
        payload.dumps(payload.Ref(Digest(bytes(16))))


@pytest.mark.parametrize("others", [[], [(b"x" * (CHUNK_BYTES // 2),)] * 3], ids=["short", "long in all"])
def test_values_that_pickle_themselves_are_asked_once(others: list[tuple[Any, ...]]) -> None:
    before = Stateful.count
    dumped, _ = payload.dump_calls(len, [(Stateful(),), *others, (Stateful(),)], {})
    assert [pickle.loads(dumped[at])[0][0] for at in (0, -1)] == [before + 1, before + 2]


def test_what_comes_behind_a_call_with_refs_is_pickled_once() -> None:
    before = Stateful.count
    payload.dump_calls(len, [(payload.Ref(Digest(bytes(16))),), *[(Stateful(),)] * 5], {})
    assert Stateful.count == before + 5


@pytest.mark.parametrize("size", [CHUNK_BYTES - 9, CHUNK_BYTES - 8, CHUNK_BYTES, 3 * CHUNK_BYTES])
def test_large_bytes_are_not_pickled_in_vain(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = list[int]()

    def count(*args: Any, **kwargs: Any) -> bytes:
        data = pickle.dumps(*args, **kwargs)
        plain.append(len(data))
        return data

    monkeypatch.setattr(pickling, "_plain_dumps", count)
    value = bytes(size)
    assert payload.loads(payload.dumps(value)) == value
    is_large = size + 9 > CHUNK_BYTES
    assert plain == ([] if is_large else [size + 9])
    plain.clear()
    dumped, _ = payload.dump_calls(len, [(value,)] * 4, {})
    assert [payload.load_call(data, lambda digest: digest) for data in dumped] == [((value,), {})] * 4
    assert not is_large or plain == []


def test_the_first_call_that_is_long_inside_stops_the_pickling_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = list[int]()

    def count(value: Any, *args: Any, **kwargs: Any) -> bytes:
        tries.append(len(value[0]))
        return pickle.dumps(value, *args, **kwargs)

    monkeypatch.setattr(pickling, "_plain_dumps", count)
    assert pickling.dump_small([((1,), None), (([bytes(CHUNK_BYTES)],), None), ((2,), None)]) is None
    assert len(tries) == 2
