"""Functions that travel whole are pickled once, and anew as soon as anything in the pickle would be another."""

from __future__ import annotations

import math
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

from triort._model.limits import WHOLE_FUNCTION_BYTES_MAX, WHOLE_FUNCTIONS_MAX
from triort._wire import pickling
from triort._wire.snapshots import take_snapshot

SCRIPT = """
import math
import os.path as paths
LIMIT = 3
PAIR = (1, ("a", None))
TABLE = {}
class Box: pass
def double(x): return 2 * x
def plain(x: int, y: "str" = 1) -> list[int]:
    "What it does."
    return double(x) + LIMIT + math.pi + len(PAIR)
def nested(x): return [LIMIT for _ in range(x)], lambda: PAIR
def calls_itself(x): return calls_itself(x - 1) if x else 0
def ping(x): return pong(x - 1)
def pong(x): return ping(x) if x > 0 else LIMIT
def joins(x): return paths.join(x, later)
def looks_up(x): return TABLE[x]
def makes(x): return Box()
def keyword(x, *, y=1): return x
def takes_list(x=[]): return x
def boxed(x: Box): return x
def closed(y):
    def inner(): return y
    return inner
"""


def script() -> Any:
    """What a script has defined that is run."""
    module = types.ModuleType("__main__")
    exec(compile(SCRIPT, "script.py", "exec", dont_inherit=True), module.__dict__)
    return module


CHANGES: dict[str, tuple[str, Callable[[Any], object]]] = {
    "a number": ("plain", lambda m: setattr(m, "LIMIT", 4)),
    "a number of another type": ("plain", lambda m: setattr(m, "LIMIT", 3.0)),
    "a number in a nested function": ("nested", lambda m: setattr(m, "LIMIT", 4)),
    "a tuple in a nested function": ("nested", lambda m: setattr(m, "PAIR", ())),
    "a function that it calls": ("plain", lambda m: setattr(m, "double", lambda x: x)),
    "the code of a function that it calls": ("plain", lambda m: setattr(m.double, "__code__", (lambda x: x).__code__)),
    "what a function mentions that it calls": ("ping", lambda m: setattr(m, "LIMIT", 4)),
    "itself, as it calls itself": ("calls_itself", lambda m: setattr(m, "calls_itself", m.double)),
    "its code": ("plain", lambda m: setattr(m.plain, "__code__", m.double.__code__)),
    "a default": ("plain", lambda m: setattr(m.plain, "__defaults__", (2,))),
    "a default for a keyword": ("plain", lambda m: setattr(m.plain, "__kwdefaults__", {"y": 2})),
    "an attribute": ("plain", lambda m: setattr(m.plain, "note", 1)),
    "an annotation": ("plain", lambda m: m.plain.__annotations__.update(x=float)),
    "one annotation less": ("plain", lambda m: m.plain.__annotations__.pop("x")),
    "one annotation more": ("plain", lambda m: m.plain.__annotations__.update(z=int)),
    "its text": ("plain", lambda m: setattr(m.plain, "__doc__", "Something else.")),
    "its name": ("plain", lambda m: setattr(m.plain, "__name__", "other")),
    "a name that was not there": ("joins", lambda m: setattr(m, "later", "x")),
    "a name that hides a builtin": ("plain", lambda m: setattr(m, "len", lambda x: 1)),
    "a name that is no longer there": ("plain", lambda m: delattr(m, "LIMIT")),
    "a module": ("plain", lambda m: setattr(m, "math", types.SimpleNamespace(pi=3))),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_snapshot_is_current_until_something_has_changed(change: str) -> None:
    module = script()
    name, make = CHANGES[change]
    function = getattr(module, name)
    snapshot = take_snapshot(function)
    assert snapshot is not None
    assert snapshot.is_current()
    make(module)
    assert not snapshot.is_current()


@pytest.mark.parametrize("name", ["looks_up", "makes", "keyword", "takes_list", "boxed"])
def test_of_what_may_change_inside_there_is_no_snapshot(name: str) -> None:
    assert take_snapshot(getattr(script(), name)) is None


def test_of_a_closure_and_of_a_method_of_the_script_there_is_no_snapshot() -> None:
    module = script()
    assert take_snapshot(module.closed(1)) is None
    module.plain.__globals__["LIMIT"] = [].append
    assert take_snapshot(module.plain) is None


def test_of_tuples_that_hold_much_or_each_other_again_and_again_there_is_no_snapshot() -> None:
    module = script()
    again: tuple[Any, ...] = (1,)
    for _ in range(100):
        again = (again, again)
    for value in (again, tuple(range(1_000_000))):
        module.PAIR = value
        assert take_snapshot(module.plain) is None
    deep: tuple[Any, ...] = ()
    for _ in range(900):  # as deep as a pickle can be
        deep = (deep,)
    module.PAIR = deep
    assert take_snapshot(module.plain) is not None


def test_a_submodule_that_has_been_imported_since_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = take_snapshot(script().joins)
    assert snapshot is not None
    monkeypatch.setitem(sys.modules, "posixpath.later", math)
    assert not snapshot.is_current()


def test_a_function_that_its_module_has_no_longer_is_pickled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    helpers = types.ModuleType("helpers_of_a_script")
    exec("def helper(x): return x", helpers.__dict__)
    monkeypatch.setitem(sys.modules, helpers.__name__, helpers)
    module = script()
    module.double = helpers.helper
    snapshot = take_snapshot(module.plain)
    assert snapshot is not None
    assert snapshot.is_current()
    exec("def helper(x): return 2 * x", helpers.__dict__)  # as `importlib.reload` does
    assert not snapshot.is_current()


def test_of_a_function_whose_names_are_computed_there_is_no_snapshot() -> None:
    class Computed(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            return len(name)

    code = script().plain.__code__
    assert take_snapshot(types.FunctionType(code, script().__dict__)) is not None
    assert take_snapshot(types.FunctionType(code, Computed(script().__dict__))) is None


def test_a_pickle_is_used_again_and_made_anew_when_it_would_be_another() -> None:
    module = script()
    first = pickling.dumps(module.plain)
    assert pickling.dumps(module.plain) is first
    assert pickling.dumps(module.takes_list) is not pickling.dumps(module.takes_list)
    value = pickle.loads(first)(1)
    module.LIMIT += 1
    second = pickling.dumps(module.plain)
    assert second is not first
    assert pickle.loads(second)(1) == value + 1
    assert pickling.dumps(module.plain) is second


def test_where_modules_travel_whole_nothing_is_used_again() -> None:
    module = script()
    first = pickling.dumps(module.plain)
    helpers = types.ModuleType("helpers_of_a_notebook")
    sys.modules[helpers.__name__] = helpers
    try:
        pickling.ship_by_value(helpers)
        assert pickling.dumps(module.plain) is not first
    finally:
        cloudpickle.unregister_pickle_by_value(helpers)
        del sys.modules[helpers.__name__]
    assert pickling.dumps(module.plain) is first


def test_only_so_many_are_kept() -> None:
    functions = [script().plain for _ in range(WHOLE_FUNCTIONS_MAX + 1)]
    first = [pickling.dumps(function) for function in functions]
    assert pickling.dumps(functions[-1]) is first[-1]
    assert pickling.dumps(functions[0]) is not first[0]
    assert len(pickling._whole_functions._kept) <= WHOLE_FUNCTIONS_MAX


def test_long_pickles_are_not_kept() -> None:
    module = script()
    module.LIMIT = "x" * WHOLE_FUNCTION_BYTES_MAX
    assert take_snapshot(module.nested) is not None
    assert pickling.dumps(module.nested) is not pickling.dumps(module.nested)
    module.LIMIT = 3
    assert pickling.dumps(module.nested) is pickling.dumps(module.nested)
