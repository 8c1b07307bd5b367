"""What a simulated run of a user's test prints and logs: held back, so that of many runs only the last one speaks.

The streams of the process are replaced, and the handlers that the root logger has at the start (pytest's, for one) are
filtered; handlers that a test adds itself get all there is, as it comes.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import attrs

from triort._node.worker import Worker


@attrs.define(eq=False)
class Output:
    """What one run has said, in order."""

    is_muted: bool = False
    """Nobody hears what is said now."""
    said: list[tuple[TextIO, str] | tuple[logging.Handler, logging.LogRecord]] = attrs.Factory(list)

    def release(self) -> None:
        """Say it all now."""
        for where, what in self.said:
            if isinstance(where, logging.Handler):
                assert isinstance(what, logging.LogRecord)
                where.handle(what)
            else:
                assert isinstance(what, str)
                where.write(what)
        self.said.clear()

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Inside, nothing is heard."""
        before, self.is_muted = self.is_muted, True
        try:
            yield
        finally:
            self.is_muted = before


@contextmanager
def taken_over(*, hold_back: bool) -> Iterator[Output]:
    """Inside, what is said goes to the `Output`; unless it is to be held back, it goes on from there at once."""
    output = Output()
    root = logging.getLogger()
    level = root.level
    filters = [_Filter(handler, output, level, hold_back) for handler in root.handlers]
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Stream(out, output, hold_back), _Stream(err, output, hold_back)
    for each in filters:
        each.handler.addFilter(each)
    try:
        yield output
    finally:
        for each in filters:
            each.handler.removeFilter(each)
        sys.stdout, sys.stderr = out, err


@attrs.define(eq=False)
class _Filter:
    """Lets a handler hear each record once, and only what it would hear outside."""

    handler: logging.Handler
    output: Output
    level: int
    hold_back: bool

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the handler gets it now."""
        worker = Worker.current
        is_in_task = worker is not None and worker.on_cpu is not None  # its client will log it
        if is_in_task or self.output.is_muted or record.levelno < self._level_of(record.name):
            return False
        if self.hold_back:
            self.output.said.append((self.handler, record))
        return not self.hold_back

    def _level_of(self, name: str) -> int:
        """The level of a logger, as it is when no simulation wants to hear everything."""
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None and logger.parent is not None:
            if logger.level:
                return logger.level
            logger = logger.parent
        return self.level


class _Stream(io.TextIOBase):
    """stdout or stderr for the time of a run."""

    def __init__(self, original: TextIO, output: Output, hold_back: bool) -> None:
        self._original = original
        self._output = output
        self._hold_back = hold_back

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the real stream."""
        return self._original.encoding

    def write(self, text: str) -> int:
        """Write text; does not block."""
        if self._output.is_muted:
            return len(text)
        if not self._hold_back:
            return self._original.write(text)
        self._output.said.append((self._original, text))
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """As the real stream."""
        return self._original.isatty()

    def fileno(self) -> int:
        """As the real stream."""
        return self._original.fileno()

    def flush(self) -> None:
        """Flush the real stream."""
        self._original.flush()
