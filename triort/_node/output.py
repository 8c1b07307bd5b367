"""What tasks print and log travels to their client: text a line at a time, records with task name and context.

Only what is written while a task is on the CPU belongs to it; everything else goes where it always went. Lines gather
until the next flush. When the boss does not take them fast enough they are dropped and counted, and the count is told:
a flood of prints must not harm anybody's results.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from triort._core.worker_core import Running
from triort._model.ids import JobId
from triort._model.limits import (
    NAME_CHARS_MAX,
    PRINT_LINE_BYTES_MAX,
    TALK_PENDING_BYTES_MAX,
    TEXT_CHARS_MAX,
    bounded,
)
from triort._model.messages import Log, Print, TaskSpec
from triort._node.page import UNSENT

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from triort._node.worker import Worker

PIECE_CHARS_MAX = 32 << 10
"""A piece of text; a message holds a few of them, and a character takes up to 4 bytes."""
GATHERED_CHARS_MAX = 128 << 10
ASIDE_MAX = 100_000


class TaskOutput:
    """Collects the prints and log records of one worker's tasks."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._tails: dict[tuple[Running, str], str] = {}
        self._lines: list[tuple[JobId, str, str]] = []
        self._chars = 0
        self._dropped: dict[tuple[JobId, str], int] = {}
        self._aside: deque[tuple[Running, str, str] | Log] | None = None
        """What threads that a task has started have said: only the main thread touches the rest, and the link."""

    def write(self, running: Running, stream: str, text: str) -> None:
        """A task has written text."""
        if threading.get_ident() != self.worker.thread:
            self._put_aside((running, stream, text))
            return
        if stream == "stderr":
            self.worker.page.say(text)
        key = (running, stream)
        text = self._tails.pop(key, "") + text
        lines, newline, tail = text.rpartition("\n")
        if newline:
            self._add(running.attempt.spec.job, stream, lines + newline)
        if len(tail) > PRINT_LINE_BYTES_MAX:
            self._add(running.attempt.spec.job, stream, tail)
        elif tail:
            self._tails[key] = tail

    def end_task(self, running: Running) -> None:
        """The task's function has returned: what it has left without a newline goes, too."""
        if self._tails:
            for stream in ("stdout", "stderr"):
                tail = self._tails.pop((running, stream), "")
                if tail:
                    self._add(running.attempt.spec.job, stream, tail + "\n")

    def log(self, message: Log) -> None:
        """A task has logged a record."""
        if threading.get_ident() != self.worker.thread:
            self._put_aside(message)
        elif self.worker.conn.pending_bytes > TALK_PENDING_BYTES_MAX:
            key = (message.job, "stderr")
            self._dropped[key] = self._dropped.get(key, 0) + 1
        else:
            self.flush()
            self.worker.conn.send_nowait(message)

    def flush(self) -> None:
        """Queue the gathered lines on the connection."""
        while self._aside:
            said = self._aside.popleft()
            if isinstance(said, Log):
                self.log(said)
            else:
                self.write(*said)
        if not self._lines:
            return
        lines, self._lines, self._chars = self._lines, [], 0
        if self.worker.conn.pending_bytes > TALK_PENDING_BYTES_MAX:
            for job, stream, text in lines:
                self._dropped[job, stream] = self._dropped.get((job, stream), 0) + max(text.count("\n"), 1)
            return
        for (job, stream), count in self._dropped.items():
            note = f"[{self.worker.name}: {count} lines were dropped, the link is too slow for them]\n"
            self.worker.conn.send_nowait(Print(job, stream, note))
        self._dropped.clear()
        merged: dict[tuple[JobId, str], list[str]] = {}
        for job, stream, text in lines:
            merged.setdefault((job, stream), []).append(text)
        for (job, stream), texts in merged.items():
            self.worker.conn.send_nowait(Print(job, stream, "".join(texts)))

    def _put_aside(self, said: tuple[Running, str, str] | Log) -> None:
        if self._aside is None:
            self._aside = deque(maxlen=ASIDE_MAX)
        self._aside.append(said)
        self.worker.page.words[UNSENT] = 1

    def _add(self, job: JobId, stream: str, text: str) -> None:
        for start in range(0, len(text), PIECE_CHARS_MAX):
            piece = text[start : start + PIECE_CHARS_MAX].encode("utf-8", "backslashreplace").decode()
            self._lines.append((job, stream, piece))
            self.worker.page.words[UNSENT] = 1
            self._chars += len(piece)
            if self._chars > GATHERED_CHARS_MAX:
                self.flush()
                self.worker.conn.flush_nowait()


@contextlib.contextmanager
def redirected(find_worker: Callable[[], Worker | None]) -> Iterator[None]:
    """Take over stdout, stderr and the root logger of this process, for the tasks of the worker that is found then."""
    out, err = sys.stdout, sys.stderr
    handler = _LogHandler(find_worker)
    root = logging.getLogger()
    sys.stdout, sys.stderr = _TaskStream(find_worker, "stdout", out), _TaskStream(find_worker, "stderr", err)
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        sys.stdout, sys.stderr = out, err


class _TaskStream(io.TextIOBase):
    """A text stream that belongs to the task on the CPU, else to the process."""

    def __init__(self, find_worker: Callable[[], Worker | None], name: str, original: TextIO) -> None:
        self._find_worker = find_worker
        self._name = name
        self._original = original

    def __reduce__(self) -> tuple[Callable[[str], TextIO], tuple[str]]:
        return _stream_there, (self._name,)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the process's own stream."""
        return self._original.encoding

    def write(self, text: str) -> int:
        """Write text; does not block."""
        worker = self._find_worker()
        running = None if worker is None else worker.on_cpu
        if worker is None or running is None:
            return self._original.write(text)
        worker.output.write(running, self._name, text)
        return len(text)

    @property
    def buffer(self) -> _TaskBuffer:
        """The binary side, for code that writes bytes."""
        return _TaskBuffer(self)

    def flush(self) -> None:
        """Whole lines go out with the worker's next flush."""
        self._original.flush()

    def writable(self) -> bool:
        """True."""
        return True

    def isatty(self) -> bool:
        """False: nobody types here."""
        return False

    def fileno(self) -> int:
        """The process's own stream, for subprocesses."""
        return self._original.fileno()


def _stream_there(name: str) -> TextIO:
    """What a task's stream is where it is unpickled: the one with its name there."""
    return sys.stderr if name == "stderr" else sys.stdout


class _TaskBuffer(io.RawIOBase):
    """The binary side of a task's stream; what is no UTF-8 is shown by escapes."""

    def __init__(self, stream: _TaskStream) -> None:
        self._stream = stream

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: Buffer) -> int:
        """Write bytes; does not block."""
        raw = bytes(data)
        self._stream.write(raw.decode("utf-8", "backslashreplace"))
        return len(raw)


class _LogHandler(logging.Handler):
    """Turns the records of tasks into messages; the client filters again by its own loggers."""

    def __init__(self, find_worker: Callable[[], Worker | None]) -> None:
        super().__init__()
        self._find_worker = find_worker

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record of a task to its client; others are left to the handlers that the process has."""
        worker = self._find_worker()
        running = None if worker is None else worker.on_cpu
        if worker is None or running is None or record.levelno < running.attempt.spec.log_level:
            return
        worker.output.log(log_message(running.attempt.spec, record))


def log_message(spec: TaskSpec, record: logging.LogRecord) -> Log:
    """What tells the client of a record of this task."""
    try:
        text = record.getMessage()
    except Exception as exc:  # a bad format is the user's; it is shown, not raised
        text = f"{record.msg!r} (arguments do not fit: {exc})"
    exception = None
    if record.exc_info and record.exc_info[1] is not None:
        exception = _fit("".join(traceback.format_exception(record.exc_info[1])), TEXT_CHARS_MAX)
    return Log(
        spec.job,
        _fit(record.name, NAME_CHARS_MAX),
        int(bounded(record.levelno)),
        _fit(text, TEXT_CHARS_MAX),
        float(record.created),
        _fit(record.pathname, TEXT_CHARS_MAX),
        int(bounded(record.lineno or 0)),
        _fit(record.funcName or "", NAME_CHARS_MAX),
        exception,
        spec.options.name or spec.function_name,
        spec.options.log_context,
        _fit(record.levelname, NAME_CHARS_MAX),
    )


def _fit(text: object, chars_max: int) -> str:
    """So much of a text as a record may hold. Names of files may hold what UTF-8 does not, and so may what mentions
    them."""
    return str(text)[:chars_max].encode("utf-8", "backslashreplace").decode()[:chars_max]
