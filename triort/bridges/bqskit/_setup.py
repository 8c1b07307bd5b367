"""What all tasks of one compilation have in common. It travels with their functions, once to each worker."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

import attrs

SILENT = 100
"""The level of the root logger in tasks that are too deep to log."""


@attrs.frozen
class Setup:
    """How the tasks of a compilation log."""

    level: int = logging.WARNING
    depth_max: int = -1
    """Tasks with more ancestors do not log; -1: all do."""

    def level_at(self, depth: int) -> int:
        """The level of the root logger in a task with so many ancestors."""
        return self.level if self.depth_max < 0 or depth <= self.depth_max else SILENT


class ImportPaths:
    """Where a client looks for modules. Where this is unpickled, modules are looked for there, too; so it stands before
    what needs them in whatever is pickled."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = paths

    def __reduce__(self) -> tuple[Callable[[tuple[str, ...]], ImportPaths], tuple[tuple[str, ...]]]:
        return take_paths, (self.paths,)


def take_paths(paths: tuple[str, ...]) -> ImportPaths:
    """Look for modules there from now on, after all other places."""
    sys.path.extend([path for path in paths if path not in sys.path])
    return ImportPaths(paths)


def own_paths() -> ImportPaths:
    """Where this process looks for modules."""
    return ImportPaths(tuple(os.path.abspath(path) for path in sys.path))
