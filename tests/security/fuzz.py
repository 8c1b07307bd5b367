"""Mutated frames for the parser: nothing but `ProtocolError` comes out, whole or byte by byte, within its limits.

The corpus starts with every message there is. A mutant that makes the parser say or yield something new, or takes a new
way through its code, joins it, so that what lies behind a check is reached by mutants of what has passed it. Half of
the mutations know the format (they change the decoded header and encode it again), the others do not.
"""

from __future__ import annotations

import random
import re
import resource
import struct
import time
from collections import Counter
from typing import Any

import attrs
import msgspec

from tests._wire.every_message import EVERY_MESSAGE
from tests.security.lines import Ways
from triort._model.errors import ProtocolError
from triort._model.messages import Received
from triort._wire import checks, layout, parser, pile
from triort._wire.frames import FrameParser, encode

BYTES_MAX = 4_096
CORPUS_MAX = 4_000
SLACK_BYTES = 64
NUMBERS = (
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    256,
    4_096,
    65_535,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
)
WORDS = (b"\xff", b"\x00", b"\xc0", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff")
VALUES: tuple[Any, ...] = (
    *NUMBERS,
    None,
    True,
    "",
    "x" * 300,
    b"",
    b"x" * 300,
    [],
    {},
    1.5,
    float("nan"),
    float("inf"),
)


@attrs.define
class Fuzz:
    """A run, and what it has seen."""

    seed: int
    corpus: list[bytes] = attrs.Factory(list)
    seen: Counter[str] = attrs.Factory(Counter)
    faults: list[str] = attrs.Factory(list)
    frames: int = 0
    ways: Ways = attrs.Factory(lambda: Ways.through(parser, checks, layout, pile))
    _draw: random.Random = attrs.Factory(random.Random)

    def run(self, frames: int) -> None:
        """Feed so many mutants."""
        self._draw.seed(self.seed)
        self.corpus = [b"".join(encode([each])) for each in EVERY_MESSAGE]
        self.corpus.append(b"".join(encode([(m, p) for m, p in EVERY_MESSAGE])))
        for _ in range(frames):
            self.feed(self.mutant())

    def feed(self, data: bytes) -> None:
        """One mutant, whole and byte by byte."""
        self.frames += 1
        try:
            whole, is_new = self.ways.follow(lambda: parse(data, [len(data)]))
            cut = parse(data, [1] * len(data))
            some = parse(data, [self._draw.randint(1, 32) for _ in range(len(data))])
        except Exception as exc:  # anything but ProtocolError, which `parse` takes
            self.faults.append(f"{type(exc).__name__}: {exc} for {data.hex()}")
            return
        if not (whole[:2] == cut[:2] == some[:2]) and len({repr(each[:2]) for each in (whole, cut, some)}) > 1:
            self.faults.append(f"{whole} whole, {cut} byte by byte, {some} in pieces for {data.hex()}")
        if max(whole[2], cut[2], some[2]) > len(data) + SLACK_BYTES:
            self.faults.append(f"{whole[2]} bytes are kept of {len(data)}: {data.hex()}")
        kinds = ",".join(sorted({type(message).__name__ for message, _ in whole[0]}))
        signature = re.sub(r"\d+", "n", f"{whole[1]} {kinds}")[:120]
        self.seen[signature] += 1
        if (is_new or self.seen[signature] == 1) and len(self.corpus) < CORPUS_MAX:
            self.corpus.append(data)

    def mutant(self) -> bytes:
        """A frame of the corpus, changed a few times."""
        draw = self._draw
        data = draw.choice(self.corpus)
        for _ in range(draw.choice((1, 1, 1, 2, 4, 8))):
            data = self._change_header(data) if draw.random() < 0.5 else self._change_bytes(data)
        return data[:BYTES_MAX]

    def _change_bytes(self, data: bytes) -> bytes:
        draw = self._draw
        at = draw.randrange(len(data) + 1)
        match draw.randrange(7):
            case 0:
                return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
            case 1:
                return data[:at] + draw.choice(WORDS) + data[at:]
            case 2:
                return data[:at]
            case 3:
                return data[:at] + data[at + draw.randint(1, 16) :]
            case 4:
                return data[:at] + data
            case 5:
                other = draw.choice(self.corpus)
                return data[:at] + other[draw.randrange(len(other) + 1) :]
            case _:
                return struct.pack("<I", draw.choice(NUMBERS) & 0xFFFFFFFF) + data[4:]

    def _change_header(self, data: bytes) -> bytes:
        """Change something in the first frame's header and make the frame whole again."""
        try:
            frame_len, header_len = struct.unpack_from("<II", data)
            header = msgspec.msgpack.decode(data[8 : 8 + header_len])
        except (struct.error, msgspec.DecodeError, ValueError):
            return self._change_bytes(data)
        holders = list(_holders(header))
        if not holders:
            return self._change_bytes(data)
        holder = self._draw.choice(holders)
        self._change_one(holder)
        try:
            fresh = msgspec.msgpack.encode(header)
        except (OverflowError, TypeError, RecursionError):
            return self._change_bytes(data)
        payload = data[8 + header_len : 4 + frame_len]
        rest = data[4 + frame_len :]
        return struct.pack("<II", 4 + len(fresh) + len(payload), len(fresh)) + fresh + payload + rest

    def _change_one(self, holder: list[Any]) -> None:
        draw = self._draw
        at = draw.randrange(len(holder)) if holder else 0
        match draw.randrange(4) if holder else 0:
            case 0:
                holder.insert(at, draw.choice(VALUES))
            case 1:
                del holder[at]
            case 2:
                holder.append(holder[at])
            case _:
                holder[at] = draw.choice(VALUES)

    def report(self, seconds: float) -> dict[str, Any]:
        """Figures."""
        return {
            "frames": self.frames,
            "seconds": round(seconds, 1),
            "corpus": len(self.corpus),
            "kinds of result": len(self.seen),
            "ways through the parser": len(self.ways.seen),
            "peak memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
            "faults": len(self.faults),
        }


def _holders(value: Any) -> Any:
    if isinstance(value, list):
        yield value
        for each in value:
            yield from _holders(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _holders(each)


def parse(data: bytes, steps: list[int]) -> tuple[list[Received], str | None, int]:
    """What comes out of so many bytes at a time: messages, the fault, and how much was kept at most."""
    machine, received, at, kept = FrameParser(), list[Received](), 0, 0
    try:
        for step in steps:
            if at >= len(data):
                break
            received += machine.feed(data[at : at + step])
            at += step
            kept = max(kept, machine._partial.size + machine._pieces.size)
        if machine.fault is not None:
            machine.feed(b"")
    except ProtocolError:
        pass
    return received, machine.fault, kept


def run_fuzz(frames: int, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Feed so many frames; the figures, and what is wrong."""
    start = time.perf_counter()
    fuzz = Fuzz(seed)
    fuzz.run(frames)
    return fuzz.report(time.perf_counter() - start), fuzz.faults
