"""Tripwires: they fire for code under test, by whatever way, and for nobody else; afterwards there are none."""

import concurrent.futures
import datetime
import datetime as dates
import importlib
import logging
import multiprocessing
import os
import pickle
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import uuid
from collections.abc import Callable
from datetime import datetime as imported_datetime
from random import randint as imported_randint
from time import monotonic as imported_monotonic
from uuid import uuid4 as imported_uuid4

import attrs
import pytest
import trio

from triort import UsageError
from triort.testing._trio.failures import OutsideWorld
from triort.testing._trio.origins import Origin, origins
from triort.testing._trio.run import run
from triort.testing._trio.tripwires import tripwires

SEEDED = random.Random(1)
TIMES = ["time", "monotonic", "perf_counter", "process_time", "thread_time"]

REAL_TIME: dict[str, Callable[[], object]] = {
    **{f"time.{name}": lambda name=name: getattr(time, name)() for name in TIMES},  # type: ignore[misc]
    **{f"time.{name}_ns": lambda name=name: getattr(time, f"{name}_ns")() for name in TIMES},  # type: ignore[misc]
    "time.sleep": lambda: time.sleep(0),
    "time.localtime()": lambda: time.localtime(),
    "time.gmtime()": lambda: time.gmtime(None),
    "datetime.datetime.now": lambda: datetime.datetime.now(),
    "datetime.datetime.utcnow": lambda: dates.datetime.utcnow(),
    "datetime.datetime.today": lambda: imported_datetime.today(),
    "datetime.date.today": lambda: datetime.date.today(),
    "time.monotonic": lambda: imported_monotonic(),
}
REAL_CHANCE: dict[str, Callable[[], object]] = {
    "random.random": lambda: random.random(),
    "random.shuffle": lambda: random.shuffle([1, 2]),
    "random.randint": lambda: imported_randint(1, 6),
    "random.seed": lambda: random.seed(1),
    "random.Random()": lambda: random.Random(),
    "random.Random.seed()": lambda: SEEDED.seed(),
    "random.SystemRandom.random": lambda: random.SystemRandom(5).random(),
    "os.urandom": lambda: os.urandom(4),
    "secrets.token_hex": lambda: secrets.token_hex(),
    "uuid.uuid1": lambda: uuid.uuid1(),
    "uuid.uuid4": lambda: imported_uuid4(),
}
THREADS: dict[str, Callable[[], object]] = {
    "threading.Thread.start": lambda: threading.Thread(target=print).start(),
    "threading.Thread.start by a pool": lambda: concurrent.futures.ThreadPoolExecutor().submit(print),
    "trio.to_thread.run_sync": lambda: trio.to_thread.run_sync(print),
}
NETWORK: dict[str, Callable[[], object]] = {
    "socket.socket": lambda: socket.socket(),
    "socket.socket by trio": lambda: trio.socket.socket(),
    "socket.create_connection": lambda: socket.create_connection(("localhost", 1)),
    "socket.getaddrinfo": lambda: socket.getaddrinfo("localhost", 1),
}
PROCESSES: dict[str, Callable[[], object]] = {
    "subprocess.Popen": lambda: subprocess.run(["true"]),
    "os.fork": lambda: multiprocessing.get_context("fork").Process(target=print).start(),
    "os.system": lambda: os.system("true"),
}
CASES = [
    (what, name.partition(" ")[0], reach)
    for what, reaches in [
        ("real time", REAL_TIME),
        ("real randomness", REAL_CHANCE),
        ("threads", THREADS),
        ("the network", NETWORK),
        ("processes", PROCESSES),
    ]
    for name, reach in reaches.items()
]


async def call(function: Callable[[], object]) -> object:
    return function()


@pytest.mark.parametrize(("what", "name", "reach"), CASES, ids=[name for _, name, _ in CASES])
def test_reaching_outside_gives_one_line_that_tells_what_and_where(what: str, name: str, reach) -> None:
    with pytest.raises(OutsideWorld) as info:
        run(call, reach)
    line = reach.__code__.co_firstlineno
    start = f"a simulated run may not use {what} ({name}, called at {__file__}:{line}); use "
    assert str(info.value).startswith(start)
    assert "\n" not in str(info.value)
    assert isinstance(info.value, UsageError)


ALLOWED: dict[str, Callable[[], object]] = {
    "a seeded generator": lambda: random.Random(5).random(),
    "a subclass with a seed": lambda: SEEDED.sample(range(5), 2),
    "a given date": lambda: datetime.datetime(2020, 1, 1).isoformat(),
    "a given time": lambda: time.gmtime(0),
    "a log record": lambda: logging.getLogger("x").makeRecord("x", 20, "f", 1, "m", (), None),
    "a temporary file": lambda: tempfile.TemporaryFile().close(),
    "a lock": lambda: threading.Lock().acquire(),
    "a uuid of a name": lambda: uuid.uuid5(uuid.NAMESPACE_DNS, "triort"),
}


@pytest.mark.parametrize("use", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_is_the_same_in_every_run_is_allowed(use) -> None:
    run(call, use)


def test_the_dates_made_in_a_run_are_real_ones() -> None:
    def use() -> list[object]:
        moment = imported_datetime(2020, 1, 2, 3)
        assert isinstance(moment, datetime.datetime)
        assert isinstance(moment, datetime.date)
        assert not isinstance(datetime.date(2020, 1, 1), datetime.datetime)
        assert issubclass(datetime.datetime, datetime.date)
        assert pickle.loads(pickle.dumps(moment)) == moment

        class Own(datetime.date):
            pass

        assert not isinstance(datetime.date(2020, 1, 1), Own)
        assert isinstance(Own(2020, 1, 1), Own)
        made = [moment, imported_datetime.fromtimestamp(0, datetime.UTC), datetime.date.fromisoformat("2020-01-01")]
        return [*made, moment + datetime.timedelta(days=1), moment.date(), datetime.datetime.strptime("2020", "%Y")]

    made = run(call, use)
    assert isinstance(made, list)
    assert {type(each) for each in made} == {datetime.date, datetime.datetime}
    assert datetime.datetime is imported_datetime
    assert type(datetime.datetime) is type


@attrs.define
class Stamped:
    made: float = attrs.field(factory=time.time)


def test_it_is_who_calls_that_counts() -> None:
    @attrs.define
    class Fresh:
        made: float = attrs.field(factory=lambda: time.time())

    with pytest.raises(OutsideWorld, match=r"time\.time"):
        run(call, Fresh)
    as_library = compile("import time\ndef now():\n return time.monotonic()", trio.__file__, "exec")
    namespace: dict[str, Callable[[], object]] = {}
    exec(as_library, namespace)
    assert isinstance(run(call, namespace["now"]), float)


def test_a_watched_package_counts_as_code_under_test() -> None:
    file = os.path.join(os.path.dirname(os.path.dirname(pytest.__file__)), "workflows", "flow.py")
    namespace: dict[str, Callable[[], object]] = {}
    exec(compile("import time\ndef now():\n return time.monotonic()", file, "exec"), namespace)
    assert isinstance(run(call, namespace["now"]), float)
    with pytest.raises(OutsideWorld, match=r"workflows.flow\.py:3"):
        run(call, namespace["now"], watched=["workflows"])


def test_origins() -> None:
    of = origins(()).of
    assert of(__file__) is Origin.CODE_UNDER_TEST
    assert of("<stdin>") is Origin.CODE_UNDER_TEST
    assert of(sys.modules["triort"].__file__ or "") is Origin.TRIORT
    assert of(threading.__file__) is Origin.LIBRARY
    assert of(trio.__file__) is Origin.LIBRARY
    assert of("<frozen importlib._bootstrap>") is Origin.LIBRARY
    assert of("<attrs generated init x.Y>") is Origin.GENERATED


def test_all_is_restored_also_what_was_imported_meanwhile(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_in_a_run.py").write_text("from time import monotonic\nfrom datetime import datetime\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = {name: vars(sys.modules[name]).copy() for name in ("time", "random", "os", "uuid", "datetime", __name__)}

    def use() -> types.ModuleType:
        module = importlib.import_module("imported_in_a_run")
        with pytest.raises(OutsideWorld):
            module.monotonic()
        raise LookupError

    with pytest.raises(LookupError):
        run(call, use)
    module = sys.modules.pop("imported_in_a_run")
    assert module.monotonic is time.monotonic
    assert module.datetime is datetime.datetime
    for name, names in before.items():
        assert {key for key, value in vars(sys.modules[name]).items() if names.get(key) is not value} == set()


def test_a_guarded_function_that_is_kept_lets_all_through_afterwards() -> None:
    kept: list[Callable[[], object]] = []

    def use() -> None:
        kept.extend([time.monotonic, datetime.datetime.now])

    run(call, use)
    assert all(function() for function in kept)


def test_without_tripwires_all_is_allowed() -> None:
    assert isinstance(run(call, REAL_TIME["time.time"], tripwires=False), float)


def test_they_can_be_set_by_themselves() -> None:
    with tripwires(), pytest.raises(OutsideWorld):
        time.time()
    assert time.time() > 0
