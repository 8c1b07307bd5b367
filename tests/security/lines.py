"""Which ways through the parser a call takes: pairs of lines that it ran one after the other, in one function."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import Any, TypeVar

import attrs

Way = tuple[CodeType, int, int]
T = TypeVar("T")


@attrs.define
class Ways:
    """The ways through some modules that have been seen."""

    files: frozenset[str]
    seen: set[Way] = attrs.Factory(set)

    @classmethod
    def through(cls, *modules: ModuleType) -> Ways:
        """Through these modules alone."""
        return cls(frozenset(str(module.__file__) for module in modules))

    def follow(self, do: Callable[[], T]) -> tuple[T, bool]:
        """What ``do`` returns, and whether it has gone where nothing has gone before."""
        before = len(self.seen)
        outer = sys.gettrace()
        sys.settrace(self._enter)
        try:
            result = do()
        finally:
            sys.settrace(outer)
        return result, len(self.seen) > before

    def _enter(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        code = frame.f_code
        if code.co_filename not in self.files:
            return None
        last, seen = code.co_firstlineno, self.seen

        def step(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
            nonlocal last
            if event == "line":
                seen.add((code, last, frame.f_lineno))
                last = frame.f_lineno
            return step

        return step
