"""BQSKit's wire between a client and its server: pairs of a kind and a payload, pickled, in the frames of
``multiprocessing.connection``.

A submitted task is not unpickled where it only passes: that would import the user's modules and build the circuit. What
has to be known of it is taken from its pickle by `skim`, for which everything unknown is an empty shell.
"""

from __future__ import annotations

import io
import logging
import pickle
import struct
import uuid
from typing import Any, ClassVar

from bqskit.compiler.status import CompilationStatus as Status
from bqskit.runtime.message import RuntimeMessage as Kind

from triort._model.errors import ProtocolError
from triort._model.limits import GATEWAY_MESSAGE_BYTES_MAX

__all__ = ["Frames", "Kind", "Shell", "Status", "decode_message", "encode_message", "encode_record", "framed", "skim"]

_LONG = -1


def encode_message(kind: Kind, content: Any) -> bytes:
    """A message, without its frame."""
    return pickle.dumps((kind, content))


def encode_record(record: logging.LogRecord) -> bytes:
    """The message that carries a log record."""
    return encode_message(Kind.LOG, pickle.dumps(record))


def decode_message(data: bytes) -> tuple[Kind, Any]:
    """A message, whole; raises whatever unpickling raises."""
    kind, content = pickle.loads(data)
    return kind, content


def framed(data: bytes) -> bytes:
    """A message in its frame."""
    if len(data) > 0x7FFFFFFF:
        return struct.pack("!iQ", _LONG, len(data)) + data
    return struct.pack("!i", len(data)) + data


class Frames:
    """What has come over a connection, until it makes whole messages."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.bytes_max = GATEWAY_MESSAGE_BYTES_MAX

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete with this; raises `ProtocolError`."""
        self._data += data
        messages: list[bytes] = []
        start = 0
        while (bounds := self._next(start)) is not None:
            messages.append(bytes(self._data[bounds[0] : bounds[1]]))
            start = bounds[1]
        del self._data[:start]
        return messages

    def _next(self, start: int) -> tuple[int, int] | None:
        """Where the message lies that begins at ``start``, if all of it is there."""
        have = len(self._data) - start
        if have < 4:
            return None
        (size,) = struct.unpack_from("!i", self._data, start)
        head = 4
        if size == _LONG:
            if have < 12:
                return None
            (size,) = struct.unpack_from("!Q", self._data, start + 4)
            head = 12
        if not 0 <= size <= self.bytes_max:
            raise ProtocolError(f"a message of {size} bytes; at most {self.bytes_max} are taken")
        return (start + head, start + head + size) if have >= head + size else None


class Shell:
    """Stands for an object of a class that nobody here knows."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Shell:
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Shell:
        return Shell()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def add(self, item: Any) -> None:
        """For a set of the user's."""

    def append(self, item: Any) -> None:
        """For a list of the user's."""

    def extend(self, items: Any) -> None:
        """For a list of the user's."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """For a dict of the user's."""


def _member(kind: Any, name: str) -> Any:
    """What `getattr` would give: some Pythons pickle members of an enumeration as a call of that."""
    return kind[name] if kind in (Kind, Status, uuid.SafeUUID) else Shell()


class _Skimmer(pickle.Unpickler):
    """Knows what messages are made of, and gives shells for all else."""

    _known: ClassVar = {
        ("builtins", "getattr"): _member,
        ("bqskit.runtime.message", "RuntimeMessage"): Kind,
        ("bqskit.compiler.status", "CompilationStatus"): Status,
        ("uuid", "UUID"): uuid.UUID,
        ("uuid", "SafeUUID"): uuid.SafeUUID,
    }

    def find_class(self, module: str, name: str) -> Any:
        """The class, or what stands for it."""
        return self._known.get((module, name), Shell)

    def persistent_load(self, pid: Any) -> Any:
        """Nothing is known by an id here."""
        return Shell()


def skim(data: bytes) -> tuple[Kind, Any]:
    """A message whose content is a shell where it is of no class known here; raises `ProtocolError`. Imports nothing,
    and runs no code of the sender's."""
    try:
        kind, content = _Skimmer(io.BytesIO(data)).load()
    except Exception as exc:  # there is no list of what a broken pickle may raise
        raise ProtocolError(f"a message that cannot be read ({type(exc).__name__})") from exc
    if not isinstance(kind, Kind):
        raise ProtocolError("a message without a kind")
    return kind, content
