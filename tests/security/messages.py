"""Random messages that are valid by themselves: what an authenticated peer may put on the wire, whatever it means."""

from __future__ import annotations

import random
from typing import Any

import attrs
import msgspec

from triort._model import messages as m
from triort._model.ids import Address, Digest, JobId
from triort._model.outcomes import Crash

KINDS = tuple(kind for kind in m.AnyMessage.__args__ if kind not in (m.Chunk, m.Loan))
NAMES = ("", "m1", "bad", "no/such", "x" * 200, "a\nb")
COUNTS = (0, 1, 1, 2, 3, 7)
BAD_ID = 900
"""The node id of the peer that says all this."""
NUMBERS = (0, 1, 2, 3, 100, -1, -100, 1 << 40, (1 << 62), (1 << 64) - 1, -(1 << 63))
SECONDS = (0.0, 0.5, 1e9, -1.0, float("inf"), float("-inf"))


@attrs.define
class Maker:
    """Makes messages of names and numbers that have been seen, and of others."""

    draw: random.Random
    addresses: list[int] = attrs.Factory(lambda: [1, 2, 3, (5 << 33) + 1, (1 << 63) - 1])
    jobs: list[int] = attrs.Factory(lambda: [1, 2, (1 << 33) + 1])
    digests: list[bytes] = attrs.Factory(lambda: [b"fn", b"other", b""])
    requests: list[int] = attrs.Factory(lambda: [1, 2, 3, 0, -1])
    specs: list[m.TaskSpec] = attrs.Factory(list)
    given: list[int] = attrs.Factory(list)
    """Tasks that the peer has been given, which may be parents of others."""
    fresh: int = (BAD_ID << 33) + 1
    """The number of the next task of its own."""

    def hear(self, message: m.Message) -> None:
        """The peer has been sent this: it knows these names now."""
        self.addresses += getattr(message, "addresses", [])[:4]
        self.digests += getattr(message, "digests", [])[:2]
        self.specs += getattr(message, "specs", [])[:2]
        if isinstance(message, m.Submit):
            self.given += message.addresses
        if isinstance(job := getattr(message, "job", None), int):
            self.jobs.append(job)
        if isinstance(request := getattr(message, "request", None), int):
            self.requests.append(request)
        for pool in (self.addresses, self.digests, self.specs, self.jobs, self.requests):
            del pool[5:-20]

    def make(self, kind: type[m.Message]) -> m.Received:
        """A message of this type, and its parts."""
        draw, pick = self.draw, self.draw.choice
        count = pick(COUNTS)
        parts = [pick((b"", b"x", b"payload", self._crash())) for _ in range(count)]
        sizes = [len(part) for part in parts]
        match kind:
            case m.Submit | m.Returned:
                return self._tasks(kind, parts, sizes)
            case m.Blobs:
                digests = [Digest(pick(self.digests)) for _ in parts]
                job = self._job()
                self.specs += [m.TaskSpec(job, digest, "f", 1, m.Options()) for digest in digests]
                return m.Blobs(job, digests, sizes), parts
            case m.Outcomes:
                kinds = [draw.randrange(5) for _ in parts]
                durations = [pick((0, 1, 100, 1 << 50)) for _ in parts]
                return m.Outcomes(pick(NUMBERS), self._addresses(count), kinds, durations, sizes), parts
            case m.Lost:
                beside = [draw.randrange(count)] if count and draw.random() < 0.3 else []
                return m.Lost(self._addresses(count), [draw.random() < 0.5 for _ in parts], sizes, beside), parts
            case m.JobOutcomes:
                kinds = [draw.randrange(5) for _ in parts]
                return m.JobOutcomes(self._job(), [draw.randrange(9) for _ in parts], kinds, sizes), parts
            case m.SubmitJob:
                spec = self._spec()
                blobs = min(count, 1 + len(spec.blobs)) if draw.random() < 0.7 else draw.randrange(count + 1)
                fields = (pick(self.requests), spec, blobs, draw.random() < 0.7, sizes)
                return m.SubmitJob(*fields, draw.random() < 0.5, draw.random() < 0.3), parts
            case m.Talk:
                return m.Talk(self._addresses(1)[0], 1), [b"t"]
            case m.Crashed:
                crash = self._crash()
                return m.Crashed(self._job(), len(crash)), [crash]
            case _:
                return self._other(kind), []

    def _other(self, kind: type[m.Message]) -> m.Message:
        """One without parts: each field by its type and name."""
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(kind):
            values[field.name] = self._value(field.name, field.type)
        message: m.Message = kind(**values)
        if isinstance(message, (m.Hello, m.Welcome)):
            return msgspec.structs.replace(message, lower_id=0, upper_id=10, **_IDS[type(message)])
        return message

    def _value(self, name: str, kind: Any) -> Any:
        draw, pick = self.draw, self.draw.choice
        match name:
            case "addresses":
                return self._addresses(pick(COUNTS))
            case "job":
                return self._job()
            case "jobs":
                return [self._job() for _ in range(pick(COUNTS))]
            case "num_items":
                return pick((-1, -1, 0, 1, 3, 100))
            case "request":
                return pick(self.requests)
            case "received":
                return pick((0, 1, 1_000))
            case "num_workers":
                return pick((0, 1, 5, 1 << 40))
            case "status":
                return m.NodeStatus(
                    pick(NAMES), "manager", 1, 1, 1, 1, 1, employees=[m.NodeStatus("w", "", 1, 1, 1, 1, 1)]
                )
        if kind is bool:
            return draw.random() < 0.5
        if kind is str or kind == str | None:
            return pick(NAMES)
        if kind is float:
            return pick(SECONDS)
        return {} if name == "context" else pick(NUMBERS)

    def _tasks(self, kind: Any, parts: list[bytes], sizes: list[int]) -> m.Received:
        draw, pick = self.draw, self.draw.choice
        specs = [self._spec() for _ in range(pick((1, 1, 2)))]
        count = len(parts)
        left = {draw.randrange(count): pick(SECONDS)} if count and draw.random() < 0.3 else {}
        alone = [draw.randrange(count)] if count and draw.random() < 0.2 else []
        parents = self._addresses(count)
        addresses = self._addresses(count)
        if draw.random() < 0.8:  # as a good peer would
            parents = [Address(pick(self.given or self.addresses)) for _ in parts]
            addresses = [Address(self.fresh + number) for number in range(count)]
            self.fresh += count
            self.addresses += addresses
        columns = addresses, [draw.randrange(len(specs)) for _ in parts], sizes
        return kind(pick(NUMBERS), specs, *columns, left, parents, alone), parts

    def _spec(self) -> m.TaskSpec:
        draw, pick = self.draw, self.draw.choice
        if self.specs and draw.random() < 0.8:
            return pick(self.specs)
        options = m.Options(
            name=pick((None, *NAMES)), timeout_s=pick((None, None, *SECONDS)), crash_limit=pick(NUMBERS),
            at_most_once=draw.random() < 0.2, retries=pick(NUMBERS), priority=pick(NUMBERS),
        )  # fmt: skip
        blobs = tuple(Digest(pick(self.digests)) for _ in range(pick((0, 0, 1))))
        return m.TaskSpec(
            self._job(), Digest(pick(self.digests)), pick(NAMES), pick((0, 1, 5, 1 << 62)), options, blobs
        )

    def _addresses(self, count: int) -> list[Address]:
        return [Address(self.draw.choice(self.addresses)) for _ in range(count)]

    def _job(self) -> JobId:
        return JobId(self.draw.choice(self.jobs))

    def _crash(self) -> bytes:
        return msgspec.msgpack.encode(Crash("w", 1, 9, alone=self.draw.random() < 0.5, workers_lost=1 << 40))


_IDS: dict[Any, dict[str, int]] = {
    m.Hello: {"session": 1, "received": 1, "client": 1},
    m.Welcome: {"received": 1, "node_id": 1},
}
