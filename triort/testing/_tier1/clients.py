"""Clients of tier 1: they submit jobs in messages, as `triort._client.client` does, and hear of their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from triort._core.links import Send
from triort._model.ids import JobId
from triort._model.limits import LEASE_S, PARTS_PER_MESSAGE_MAX
from triort._model.messages import (
    AttachJob,
    CancelJob,
    JobAccepted,
    JobEnded,
    JobOutcomes,
    JobRefused,
    Message,
    Print,
    ReleaseJob,
    StatusReply,
    StatusRequest,
    SubmitJob,
)
from triort.testing._events import Kind, Outcome, Violation, note_outcome
from triort.testing._plan.plan import Job
from triort.testing._tier1.futures import outcome_of
from triort.testing._tier1.nodes import Node
from triort.testing._tier1.pipes import Frame, Pipe
from triort.testing._tier1.scripts import spec_of
from triort.testing._tier1.sessions import End

if TYPE_CHECKING:
    from triort.testing._tier1.cluster import Cluster

RETURN_S = (0.01, 1.0)
"""After so long it looks for the next server."""
STATUS_CHANCE = 0.3
STATUS_S = 0.02
"""Clients ask for the status now and then, about so long after a job."""


@attrs.define(eq=False)
class ClientJob:
    """A job as its client sees it."""

    plan: Job
    request: int
    accepted: bool = False
    cancelled: bool = False
    failure: str = ""
    missing: set[int] = attrs.Factory(set)
    job: JobId | None = None
    sends: list[tuple[SubmitJob, list[bytes]]] = attrs.Factory(list)
    """What has submitted it, until it is accepted."""
    outcomes: dict[int, Outcome] = attrs.Factory(dict)


class Client(Node):
    """One client and its link to the server. ``is_visitor``: nothing is told of it and its job."""

    def __init__(self, cluster: Cluster, name: str, *, is_visitor: bool = False) -> None:
        super().__init__(cluster, name)
        self.is_visitor = is_visitor
        self.pipe: Pipe | None = None
        self.requests: dict[int, ClientJob] = {}
        """Jobs that have not ended."""
        self.heard: dict[str, int] = {}
        """How many lines each job has printed."""
        self.statuses: set[int] = set()
        self.token = cluster.draws.between(1, 1 << 60, "token", name)
        """By which a server knows it, whatever link it comes over."""
        self.is_away = False
        """It waits for the next server."""
        self.num_returns = 0
        self._away_until = 0.0
        self._jobs: dict[JobId, ClientJob] = {}
        self._serial = 0

    def submit(self, job: Job) -> None:
        """Submit a job; it is lost if there is no server."""
        if self.dead:
            return
        self._serial += 1
        mine = ClientJob(job, self._serial, missing=set(range(len(job.items))))
        if not self.is_visitor:
            for item in job.items:
                self.tell(Kind.SUBMIT, item.name, job.name)
        if not self.is_away and (self.pipe is None or self.pipe.ended):
            self._report(mine, "lost")
            return
        self.requests[self._serial] = mine
        names = [item.name.encode() for item in job.items]
        step = PARTS_PER_MESSAGE_MAX - 1
        for start in range(0, max(len(names), 1), step):
            blobs = [b"code"] if start == 0 else []
            parts = [*blobs, *names[start : start + step]]
            last = start + step >= len(names)
            sizes = [len(part) for part in parts]
            mine.sends.append((SubmitJob(self._serial, spec_of(job), len(blobs), last, sizes), parts))
        for message, parts in mine.sends:
            self._send(message, parts)
        draws = self.cluster.draws
        if draws.chance(STATUS_CHANCE, "status", self.name, mine.request):
            delay_s = draws.exponential(STATUS_S, "status", self.name, mine.request, "after")
            self.cluster.heap.at(delay_s, self.ask_status)

    def _send(self, message: Message, parts: Sequence[bytes] = ()) -> None:
        """Send it, or, while there is no link, have it sent with all else that is open."""
        if not self.is_away and self.pipe is not None:
            self.cluster.wires.send([Send(self.pipe, message, parts)])

    def cancel(self, name: str) -> bool:
        """Cancel a job; false when it is not open."""
        for mine in self.requests.values():
            if mine.plan.name == name and not mine.cancelled and self.pipe is not None:
                mine.cancelled = True
                self._send(CancelJob(mine.request))
                return True
        return False

    def ask_status(self) -> None:
        """Ask for the state of the tree."""
        if self.pipe is not None and not self.pipe.ended and not self.dead:
            self._serial += 1
            self.statuses.add(self._serial)
            self.cluster.wires.send([Send(self.pipe, StatusRequest(self._serial), ())])

    def leave(self) -> None:
        """Close the link in order."""
        if self.pipe is not None and not self.pipe.ended:
            self.cluster.wires.close(self.pipe)
            self._lose()

    def die(self) -> None:
        """Gone without a word."""
        self.dead = True
        self.tell(Kind.DIED, detail="killed")
        self.requests.clear()
        self._jobs.clear()
        self.statuses.clear()
        if self.pipe is not None and not self.pipe.ended:
            self.cluster.wires.drop(self.pipe)

    # -- mail ----------------------------------------------------------------------------------------------------

    def on_mail(self, pipe: Pipe, frame: Frame) -> None:
        """Handle what the server says."""
        for message, parts in frame:
            match message:
                case JobAccepted():
                    mine = self._jobs[message.job] = self.requests[message.request]
                    mine.job = message.job
                    mine.sends.clear()
                case JobOutcomes():
                    self._take(self._jobs[message.job], message, list(parts))
                case JobEnded():
                    self._end(self._jobs.pop(message.job))
                case JobRefused():
                    self._report(self.requests.pop(message.request), "lost")
                case Print():
                    self._hear(message)
                case StatusReply():
                    self._check_status(message)
                case _:
                    self._refuse(message)
        if self.is_visitor and not self.requests:
            self.leave()

    def _take(self, mine: ClientJob, message: JobOutcomes, parts: list[bytes]) -> None:
        for index, kind, part in zip(message.indices, message.kinds, parts, strict=True):
            outcome = outcome_of(kind, part)
            name = mine.plan.items[index].name
            if index not in mine.missing:
                self._check_again(name, outcome, mine.outcomes[index])
                continue
            mine.missing.discard(index)
            mine.outcomes[index] = outcome
            if outcome.kind != "value" and mine.failure in ("", "cancelled"):
                mine.failure = outcome.kind
            if not self.is_visitor:
                note_outcome(self.cluster.outcomes, name, outcome)
                self.tell(Kind.SETTLE, name, detail=str(outcome))

    def _check_again(self, name: str, outcome: Outcome, before: Outcome) -> None:
        """Who has come back hears again of what had ended before."""
        if not self.num_returns:
            raise Violation("once_per_item", f"{name} ends a second time at its client", self.cluster.now)
        if outcome != before:
            text = f"{name} has ended as {before} at its client, and after its return as {outcome}"
            raise Violation("once_per_item", text, self.cluster.now)

    def _end(self, mine: ClientJob) -> None:
        del self.requests[mine.request]
        if self.cluster.plan.journal and mine.job is not None:
            self._send(ReleaseJob(mine.job))
        if mine.missing:
            left = ", ".join(mine.plan.items[index].name for index in sorted(mine.missing)[:5])
            raise Violation("once_per_item", f"{mine.plan.name} has ended without {left}", self.cluster.now)
        self._report(mine, mine.failure or "value")

    def _hear(self, message: Print) -> None:
        mine = self._jobs.get(message.job)
        if mine is None and self.cluster.plan.journal:
            return  # the job has begun, and is accepted only when that is on disk
        if mine is None:
            raise Violation(
                "print_home", f"{self.name} hears of a job that is over: {message.text!r}", self.cluster.now
            )
        if any(not line.startswith(f"{mine.plan.name}.") for line in message.text.splitlines()):
            raise Violation("print_home", f"{self.name} hears {message.text!r} as {mine.plan.name}", self.cluster.now)
        self.heard[mine.plan.name] = self.heard.get(mine.plan.name, 0) + message.text.count("\n")

    def _check_status(self, message: StatusReply) -> None:
        if message.request not in self.statuses and not self.num_returns:
            raise Violation("status_once", f"{self.name} gets a status that it has not asked for", self.cluster.now)
        self.statuses.discard(message.request)
        todo = [message.status]
        while todo:
            status = todo.pop()
            todo += status.employees
            if not 0 <= status.idle_workers <= status.num_workers or status.done < 0 or status.rate < 0:
                text = f"{status.idle_workers} of {status.num_workers} workers idle, {status.done} done"
                raise Violation("status_true", f"{status.name} is said to have {text}", self.cluster.now)

    def _refuse(self, message: Message) -> None:
        raise Violation("protocol", f"a server may not send {type(message).__name__} to a client", self.cluster.now)

    def tick(self) -> None:
        """A client has no timers but its link's."""
        if self.pipe is not None and isinstance(self.pipe.session, End):
            self.pipe.session.tick()

    def link_ended(self, pipe: Pipe, how: str) -> None:
        """The server is gone: so are the jobs, unless it has a journal. Another server may be asked for others."""
        if self.cluster.plan.journal:
            self.is_away = True
            self._away_until = self.clock.now + LEASE_S
            self._return_later()
        else:
            self._lose()
            if not self.is_visitor:
                self.cluster.connect_client(self)

    def _return_later(self) -> None:
        self.num_returns += 1
        delay_s = self.cluster.draws.uniform(*RETURN_S, "return", self.name, self.num_returns)
        self.cluster.heap.at(delay_s, self._return)

    def _return(self) -> None:
        """Ask the next server for all that is open."""
        if self.dead:
            return
        path = self.cluster.path_of(self.name)
        is_there = "s" in self.cluster.bosses and not path.is_held and path.parted_until <= self.cluster.now
        if is_there and self.cluster.has_given_up(self):
            self.is_away = False
            self._lose()
        elif is_there:
            self.is_away = False
            self._jobs.clear()
            self.cluster.connect_client(self)
            self._ask_again()
        elif self.clock.now > self._away_until:
            self.is_away = False
            self._lose()
        else:
            self._return_later()

    def _ask_again(self) -> None:
        for mine in self.requests.values():
            if mine.job is not None:
                self._send(AttachJob(mine.request, mine.job))
            for message, parts in mine.sends:
                self._send(message, parts)
            if mine.cancelled:
                self._send(CancelJob(mine.request))
        for request in self.statuses:
            self._send(StatusRequest(request))

    def _lose(self) -> None:
        lost = list(self.requests.values())
        self.requests.clear()
        self._jobs.clear()
        self.statuses.clear()
        for mine in lost:
            self._report(mine, "lost")

    def _report(self, mine: ClientJob, how: str) -> None:
        if not self.is_visitor:
            self.tell(Kind.JOB, mine.plan.name, detail=how)
