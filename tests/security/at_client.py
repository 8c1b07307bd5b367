"""A client whose server is bad: the session and its jobs, as users have them."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from tests.security.messages import Maker
from tests.security.scene import Scene, Wrong
from triort._client.client import Client
from triort._client.jobs import Job
from triort._client.session import Session
from triort._core.links import Send
from triort._model import messages as m
from triort._model.errors import TriortError
from triort._model.ids import JobId
from triort._model.roles import Place
from triort._transport.connection import Connection


class Bomb:
    """A value that tells when it is unpickled."""

    unpickled = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return Bomb.count, ()

    @staticmethod
    def count() -> None:
        Bomb.unpickled += 1


BOMB = pickle.dumps(Bomb())


class AtClient(Scene):
    """A client whose server is bad: what it has asked for ends, and nothing is unpickled before somebody wants it."""

    def __init__(self, draw: random.Random, place: Place) -> None:
        super().__init__(draw, place, SimpleNamespace(now=0.0), Maker(draw))
        self.session = Session(cast(Connection, self))
        self.store = None
        self.session.show = lambda said: None
        client = Client(self.session, m.Options())
        self.jobs = [client._start(abs, [(1,)] * count, {}, single=count == 1) for count in (1, 1, 3, 100)]
        attached = Job(client, "7", 0, single=False, detached=True)
        attached._request = self.session.next_serial()
        self.session.requests[attached._request] = attached
        self.session.send(m.AttachJob(attached._request, JobId(7)))
        self.jobs.append(attached)
        self.before = Bomb.unpickled

    def send_nowait(self, message: m.Message, parts: Sequence[bytes] = ()) -> None:
        """As the session's connection."""
        self.maker.hear(message)

    def flush_nowait(self) -> None:
        """As the session's connection."""

    def hostile(self, message: m.Message, parts: Sequence[bytes]) -> None:
        if isinstance(message, m.JobOutcomes) and self.draw.random() < 0.5:
            message = m.JobOutcomes(message.job, message.indices, message.kinds, [len(BOMB)] * len(parts))
            parts = [BOMB] * len(parts)
        self.maker.hear(message)
        self.session._handle(message, list(parts))

    def end(self, reason: str) -> None:
        self.session.lose(reason)

    def flush(self) -> list[Send]:
        for job in self.jobs:
            if self.draw.random() < 0.02:
                job._cancel_nowait()
        return []

    def check_honest(self) -> None:
        if Bomb.unpickled != self.before:
            raise Wrong("a value was unpickled that nobody had asked for")
        self.session.lose("the end")
        for job in self.jobs:
            if not job._is_ended:
                raise Wrong(f"{job} goes on without a link")
            error = job._error()
            if not isinstance(error, TriortError | None):
                raise Wrong(f"{error!r} is no error for people")
            if error is None and (not all(job._has) or not job._is_accepted):
                raise Wrong(f"{job} has no error, and not all of its values")
