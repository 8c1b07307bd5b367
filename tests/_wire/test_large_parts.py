"""Large values: not copied into their pickles, the same in whichever form they travel, and each taker's own."""

import os
import pickle
import random
from typing import Any

import numpy as np
import pytest

from triort._model.errors import ProtocolError
from triort._model.limits import CHUNK_BYTES, OUT_OF_BAND_BYTES_MIN
from triort._model.outcomes import OutcomeKind
from triort._wire import large, payload
from triort._wire.large import MAGIC, Spread
from triort._wire.shared import Shared, Store

BIG = os.urandom(CHUNK_BYTES + 1)
MIDDLE = os.urandom(OUT_OF_BAND_BYTES_MIN)

VALUES: dict[str, Any] = {
    "a number": 1,
    "nothing": None,
    "large bytes": BIG,
    "the same bytes twice": [BIG, (BIG, 1)],
    "many middling bytes": [os.urandom(OUT_OF_BAND_BYTES_MIN + i) for i in range(30)],
    "bytes in all places": {"a": [BIG, b"", MIDDLE], BIG: bytearray(BIG), "b": {"c": (BIG[1:], "end")}},
    "bytes that look like a frame": [b"\x95" + (len(BIG) - 9).to_bytes(8, "little") + BIG[9:], MIDDLE * 20],
    "bytes that look like a large part": [MAGIC + BIG],
    "large text": "ä" * CHUNK_BYTES,
    "a large plain pickle": list(range(500_000)),
    "an array": np.arange(200_000.0),
    "a small array": np.arange(10),
    "a middling array": np.arange(OUT_OF_BAND_BYTES_MIN, dtype=np.uint8),
    "arrays and bytes": {"x": np.ones((300, 500)), "y": BIG, "z": [np.zeros(0), np.arange(100_000)]},
    "an array by columns": np.asfortranarray(np.arange(200_000.0).reshape(400, 500)),
    "an array with gaps": np.arange(400_000.0)[::2],
    "many small arrays": [np.arange(i) for i in range(200)],
}


def forms(part: bytes, store: Store) -> list[bytes]:
    """The part as it is, as bytes, and in shared memory."""
    shared = store.put(part)
    assert shared is not None
    return [part, bytes(part), shared]


def same(value: Any, original: Any) -> bool:
    return pickle.dumps(value, 5) == pickle.dumps(pickle.loads(pickle.dumps(original, 5)), 5)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("with_store", [False, True])
def test_every_value_survives_in_every_form_again_and_again(name: str, with_store: bool) -> None:
    store, value = Store(), VALUES[name]
    part = payload.dumps(value, store if with_store else None)
    assert len({len(form) for form in forms(part, store)}) == 1
    for form in forms(part, store):
        assert same(payload.loads(form), value)
        assert same(payload.loads(form), value)
        assert payload.digest_of(form) == payload.digest_of(bytes(part))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_nested_survives(seed: int) -> None:
    rng, store = random.Random(seed), Store()

    def draw(depth: int) -> Any:
        kind = rng.randrange(8 if depth else 5)
        size = rng.choice([0, 1, 100, OUT_OF_BAND_BYTES_MIN - 1, OUT_OF_BAND_BYTES_MIN, CHUNK_BYTES, 2 * CHUNK_BYTES])
        match kind:
            case 0:
                return rng.randbytes(size)
            case 1:
                return bytearray(rng.randbytes(size))
            case 2:
                return np.frombuffer(rng.randbytes(size), dtype=np.uint8).copy()
            case 3:
                return "x" * size
            case 4:
                return rng.random()
            case 5:
                return [draw(depth - 1) for _ in range(rng.randrange(6))]
            case 6:
                return tuple(draw(depth - 1) for _ in range(rng.randrange(6)))
            case _:
                return {i: draw(depth - 1) for i in range(rng.randrange(6))}

    value = [draw(3) for _ in range(4)]
    for form in forms(payload.dumps(value, store), store):
        assert same(payload.loads(form), value)


def test_large_bytes_are_not_copied_into_their_pickle() -> None:
    part = payload.dumps(((BIG, [BIG[:-1]]), None))
    assert isinstance(part, Spread)
    assert part.buffers[0] is BIG
    assert len(part.pickle) < 100
    assert payload.loads(part)[0][0] is BIG


def test_what_cloudpickle_pickles_is_spread_as_well() -> None:
    part = payload.dumps((lambda: BIG, BIG))
    assert isinstance(part, Spread)
    assert payload.loads(part)[0]() == BIG


@pytest.mark.parametrize("with_store", [False, True])
def test_a_part_keeps_its_content_whatever_becomes_of_the_array(with_store: bool) -> None:
    array, store = np.zeros(CHUNK_BYTES), Store()
    part = payload.dumps(array, store if with_store else None)
    assert isinstance(part, Shared) == with_store
    array += 1
    assert not payload.loads(part).any()


def test_each_taker_of_an_array_may_write_to_it_and_nobody_else_sees_that() -> None:
    store = Store()
    for form in forms(payload.dumps(np.zeros(CHUNK_BYTES)), store):
        first = payload.loads(form)
        first += 1
        second = payload.loads(form)
        assert not second.any()
        assert first.all()


def test_an_array_that_nobody_may_write_to_stays_so() -> None:
    array, store = np.zeros(CHUNK_BYTES), Store()
    array.flags.writeable = False
    for form in forms(payload.dumps(array), store):
        assert not payload.loads(form).flags.writeable


def test_an_array_lives_on_without_its_part() -> None:
    store = Store()
    for form in forms(payload.dumps(np.arange(CHUNK_BYTES)), store):
        array = payload.loads(form)
        del form
        store.clear()
        assert array.sum() == CHUNK_BYTES * (CHUNK_BYTES - 1) // 2


def test_arrays_start_where_machines_like_it() -> None:
    store = Store()
    part = store.put(payload.dumps([np.ones(OUT_OF_BAND_BYTES_MIN + i) for i in range(5)]))
    assert part is not None
    assert all(array.ctypes.data % 64 == 0 for array in payload.loads(part))


@pytest.mark.parametrize(
    "bad",
    [
        MAGIC,
        MAGIC + b"\0\0\0\0",
        MAGIC + b"\xff\xff\xff\xff" + b"\0" * 100,
        MAGIC + b"\1\0\0\0" + b"\xff" * 8 + b"\0" * 100,
        MAGIC + b"\2\0\0\0" + b"\2\0\0\0\0\0\0\0" * 2 + b"\0" * 30,
    ],
)
def test_a_part_that_is_not_as_it_says_is_refused_in_every_form(bad: bytes) -> None:
    for form in forms(bad, Store()):
        with pytest.raises(ProtocolError):
            payload.loads(form)


def test_the_head_of_a_part_may_be_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "_HEAD_BYTES", 64)
    value = VALUES["many middling bytes"]
    for form in forms(payload.dumps(value), Store()):
        assert same(payload.loads(form), value)


def test_a_failure_may_be_large() -> None:
    error = ValueError(BIG)
    part = payload.dump_failure(error)
    for form in forms(part, Store()):
        again = payload.load_error(OutcomeKind.ERROR, form, "t")
        assert type(again) is ValueError
        assert again.args == (BIG,)
