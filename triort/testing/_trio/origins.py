"""Whose code a file is: that of the scenario and its workflows, triort's, or a library's."""

from __future__ import annotations

import enum
import functools
import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

import triort


class Origin(enum.Enum):
    """Whose code it is."""

    CODE_UNDER_TEST = enum.auto()
    TRIORT = enum.auto()
    LIBRARY = enum.auto()
    """The standard library, trio, pytest, and all that is installed."""
    GENERATED = enum.auto()
    """A method that attrs has written; its caller counts."""


_TRIORT = os.path.dirname(os.path.abspath(triort.__file__)) + os.sep
_STANDARD = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
_INSTALLED = ("site-packages", "dist-packages")


class Origins:
    """Tells the origin of files, and remembers it; ``watched`` are installed packages that count as code under test."""

    def __init__(self, watched: Iterable[str] = ()) -> None:
        self._watched = frozenset(watched)
        self._known: dict[str, Origin] = {}

    def of(self, file: str) -> Origin:
        """The origin of a file, as code objects name it."""
        origin = self._known.get(file)
        if origin is None:
            origin = self._known[file] = self._judge(file)
        return origin

    def culprit(self, *, behind_libraries: bool) -> FrameType | None:
        """The frame of code under test, if it has called the caller's caller: itself, or also by way of libraries."""
        frame: FrameType | None = sys._getframe(3)
        while frame is not None:
            origin = self.of(frame.f_code.co_filename)
            if origin is Origin.CODE_UNDER_TEST:
                return frame
            if origin is Origin.TRIORT or (origin is Origin.LIBRARY and not behind_libraries):
                return None
            frame = frame.f_back
        return None

    def _judge(self, file: str) -> Origin:
        if file.startswith("<"):
            if file.startswith("<attrs generated"):
                return Origin.GENERATED
            return Origin.LIBRARY if file.startswith("<frozen") else Origin.CODE_UNDER_TEST
        if file.startswith(_TRIORT):
            return Origin.TRIORT
        parts = Path(file).parts
        for place in _INSTALLED:
            if place in parts:
                package = parts[parts.index(place) + 1].removesuffix(".py")
                return Origin.CODE_UNDER_TEST if package in self._watched else Origin.LIBRARY
        return Origin.LIBRARY if file.startswith(_STANDARD) else Origin.CODE_UNDER_TEST


@functools.cache
def origins(watched: tuple[str, ...]) -> Origins:
    """The one `Origins` for these watched packages."""
    return Origins(watched)
