"""What a pickle of a function depends on, so that it can be used again for as long as that is the same.

A function of the script, or a lambda, travels whole: its code, its defaults, and what it mentions by name of its
module. To pickle that takes forty times as long as to pickle a name, and who submits many jobs submits the same few
functions. But between two jobs the script may have given a name another value, and the next job is to see that.

So a snapshot holds every object that has gone into the pickle, and is current while each is in its place. That tells
nothing of what has changed inside an object. Where there is one that can change, there is no snapshot: a closure, a
list, a class of the script. What cannot: numbers, texts, tuples of such; modules, and what they define; functions of
the script for which the same holds.

A snapshot keeps alive what it holds, so `pickling` keeps it for short pickles only.
"""

from __future__ import annotations

import sys
from types import BuiltinFunctionType, CodeType, FunctionType, GenericAlias, ModuleType, NoneType, UnionType
from typing import Any

import attrs

from triort._model.limits import WHOLE_FUNCTION_VALUES_MAX

MAINS = ("__main__", "__mp_main__")
_SCALARS = (bool, int, float, complex, str, bytes, NoneType)
_MISSING = object()


@attrs.define(eq=False)
class _State:
    """One function: all of it that goes into a pickle."""

    function: Any  # a FunctionType, which mypy would take for a method
    code: CodeType
    about: tuple[Any, ...]
    defaults: tuple[Any, ...] | None
    annotations: dict[str, Any]
    mentioned: dict[str, Any]
    """What the names in the code stand for in its module."""

    def is_current(self) -> bool:
        fn = self.function
        return (
            fn.__code__ is self.code
            and fn.__defaults__ is self.defaults
            and _has_no_more(fn)
            and _about(fn) == self.about
            and len(fn.__annotations__) == len(self.annotations)
            and _is_same(fn.__annotations__, self.annotations)
            and _is_same(fn.__globals__, self.mentioned)
        )


@attrs.define(eq=False)
class Snapshot:
    """A function and all functions that travel with it."""

    _states: list[_State]
    _named: list[Any]
    """What they mention that travels as a name. A module that has been loaded again may have another one there."""
    _num_modules: int
    """How many had been imported: of a package, those that are there go into the pickle."""

    def is_current(self) -> bool:
        """Whether the function would be pickled as it was."""
        return (
            len(sys.modules) == self._num_modules
            and all(state.is_current() for state in self._states)
            and all(map(_is_by_name, self._named))
        )


def take_snapshot(function: FunctionType) -> Snapshot | None:
    """A snapshot of a function that travels whole; None if something in it may change unseen."""
    functions = [function]
    states: list[_State] = []
    named: list[Any] = []
    for each in functions:  # to which those are added that it mentions
        state = _state_of(each)
        if state is None:
            return None
        states.append(state)
        for value in state.mentioned.values():
            if isinstance(value, FunctionType | BuiltinFunctionType | type) and _is_by_name(value):
                named.append(value)
            elif type(value) is FunctionType:
                if value not in functions:
                    functions.append(value)
            elif value is not _MISSING and not _is_fixed(value):
                return None
    return Snapshot(states, named, len(sys.modules))


def _state_of(fn: FunctionType) -> _State | None:
    defaults, annotations = fn.__defaults__, dict(fn.__annotations__)
    if type(fn.__globals__) is not dict:  # what a name stands for may be computed
        return None
    if not _has_no_more(fn) or not all(map(_is_fixed, (*(defaults or ()), *annotations.values(), *_about(fn)))):
        return None
    mentioned = {name: fn.__globals__.get(name, _MISSING) for name in _names_in(fn.__code__)}
    return _State(fn, fn.__code__, _about(fn), defaults, annotations, mentioned)


def _has_no_more(fn: FunctionType) -> bool:
    """Whether the function has none of what may change, and is not looked into."""
    return not (fn.__closure__ or fn.__kwdefaults__ or fn.__dict__)


def _about(fn: FunctionType) -> tuple[Any, ...]:
    return fn.__name__, fn.__qualname__, fn.__module__, fn.__doc__


def _is_same(current: dict[str, Any], known: dict[str, Any]) -> bool:
    for name, value in known.items():  # noqa: SIM110 (a generator would take twice as long)
        if current.get(name, _MISSING) is not value:
            return False
    return True


def _names_in(code: CodeType) -> set[str]:
    """All names that the code, and what is defined inside, might look up in its module."""
    inner = [_names_in(const) for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*inner)


def _is_fixed(value: Any) -> bool:
    """Whether nothing inside can change that goes into a pickle. What holds very much is not looked through: it would
    take long, for ever where tuples hold the same ones again and again, and its pickle would not be kept."""
    inside = [value]
    for each in inside:  # to which what it holds is added
        if len(inside) > WHOLE_FUNCTION_VALUES_MAX:
            return False
        if type(each) is tuple:
            inside += each[:WHOLE_FUNCTION_VALUES_MAX]
        elif isinstance(each, GenericAlias | UnionType):
            inside += (*each.__args__, getattr(each, "__origin__", None))
        elif not _is_single(each):
            return False
    return True


def _is_single(value: object) -> bool:
    """Whether it holds nothing, or only its name goes into a pickle."""
    if type(value) in _SCALARS:
        return True
    if isinstance(value, ModuleType):
        return sys.modules.get(value.__name__) is value and value.__name__ not in MAINS
    return isinstance(value, FunctionType | BuiltinFunctionType | type) and _is_by_name(value)


def _is_by_name(value: FunctionType | BuiltinFunctionType | type) -> bool:
    """Whether a module outside the script has it under its name, so that only this travels."""
    module = sys.modules.get(value.__module__ or "")
    return value.__module__ not in MAINS and getattr(module, value.__qualname__, None) is value
