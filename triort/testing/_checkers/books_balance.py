"""The books of each node agree with themselves: what is counted is there, and what is open lies in one place."""

from __future__ import annotations

from collections import Counter

from triort._core.attempts import Attempt
from triort._core.backlog import Backlog, Source
from triort._core.links import Link
from triort._core.node_core import NodeCore
from triort._core.server_core import ServerCore
from triort._core.worker_core import WorkerCore
from triort.testing._checkers.books import links_of, show
from triort.testing._run import Checker


class BooksBalance(Checker):
    """Holds at any time, for every node."""

    name = "books_balance"

    def look(self) -> None:
        """Go through all books."""
        for name, core in self.world.nodes.items():
            self._node(name, core)
        for name, worker in self.world.workers.items():
            self._worker(name, worker)

    def at_rest(self) -> None:
        """Once more."""
        self.look()

    # -- one node ------------------------------------------------------------------------------------------------

    def _node(self, name: str, core: NodeCore) -> None:
        links = links_of(core)
        self._backlog(name, core.backlog, links)
        for link in links:
            self._link(f"{name}/{link.name}", link)
            for attempt in link.received.values():
                if not (attempt.queued or _is_placed(attempt)):
                    self.fail(f"{name}: {show(attempt)} came over {link.name} and lies nowhere")
            for attempt in link.sent.values():
                origin = attempt.origin
                if not (_is_received(attempt) or (origin is None and isinstance(core, ServerCore))):
                    self.fail(f"{name}: {show(attempt)} was sent over {link.name}, and nobody waits for it")
                if origin is not None and origin.ended and not attempt.cancelled:
                    self.fail(f"{name}: {show(attempt)} runs on, and the link that it came over has ended")
        for employee in core.employees:
            idle, queued = employee.num_idle_workers, employee.link.queued
            if idle and idle + queued > employee.num_workers:
                text = f"{idle} idle workers of {employee.num_workers} and {queued} tasks on their way to them"
                self.fail(f"{name} believes {employee.name} to have {text}")
        if isinstance(core, ServerCore):
            self._jobs(name, core)
        if {id(link) for link in core._links} != {id(link) for link in links}:
            self.fail(f"{name}: its list of links is not that of its boss and employees")
        if [e.conn for e in core.managers] != [e.conn for e in core.employees if e.kind == "manager"]:
            self.fail(f"{name}: its list of managers is not that of its employees")

    def _jobs(self, name: str, core: ServerCore) -> None:
        for job in core.jobs.jobs.values():
            for address, attempt in job.open.items():
                lies_here = attempt.queued or _is_placed(attempt) or attempt in (job.held or ())
                if address != attempt.address or not lies_here:
                    self.fail(f"{name}: item {attempt.index} of job {job.id} is open and lies nowhere")
                if job.cancelled and not attempt.cancelled:
                    self.fail(f"{name}: item {attempt.index} of job {job.id} runs on, and the job is cancelled")
            options = job.spec.options
            if max(job.retried.values(), default=0) > options.retries:
                self.fail(f"{name}: job {job.id} has tried an item {max(job.retried.values())} times again")

    def _worker(self, name: str, core: WorkerCore) -> None:
        self._backlog(name, core.backlog, [core.boss])
        self._link(f"{name}/boss", core.boss)
        for attempt in core.boss.received.values():
            if not (attempt.queued or attempt.address in core.running):
                self.fail(f"{name}: {show(attempt)} was given to it and lies nowhere")
        held = sum(running.holds_slot for running in core.running.values())
        if core.occupied != held:
            self.fail(f"{name}: {core.occupied} slots are counted as held, and {held} tasks hold one")
        for address, child in core.children.items():
            attempt, parent = child.attempt, child.parent
            if address != attempt.address or parent.children.get(address) is not child:
                self.fail(f"{name}: child {show(attempt)} is not among the children of its parent")
            if core.running.get(parent.attempt.address) is not parent:
                self.fail(f"{name}: {show(attempt)} has a parent that is over")
            is_here = attempt.queued or attempt.address in core.running
            if not is_here and core.boss.sent.get(address) is not attempt:
                self.fail(f"{name}: child {show(attempt)} is open and lies nowhere")
            if child.cancelled and not attempt.cancelled:
                self.fail(f"{name}: child {show(attempt)} runs on, and its parent wants it no more")
            if child.retries > attempt.spec.options.retries:
                self.fail(f"{name}: child {show(attempt)} has been tried {child.retries} times again")
        for address in core.boss.sent:
            if address not in core.children:
                self.fail(f"{name}: a task was offered to the boss, and nobody here waits for it")

    # -- their parts ---------------------------------------------------------------------------------------------

    def _backlog(self, name: str, backlog: Backlog, links: list[Link]) -> None:
        if not len(backlog) and not any(backlog._counts) and not any(link.waiting for link in links):
            return
        waiting = list(backlog)
        if len(waiting) != len(backlog):
            self.fail(f"{name}: {len(backlog)} tasks are counted in the backlog, and {len(waiting)} lie there")
        origins: Counter[int] = Counter()
        sources = [0, 0, 0]
        for attempt in waiting:
            origin = attempt.origin
            if attempt.cancelled or attempt.target is not None:
                self.fail(f"{name}: {show(attempt)} waits in the backlog, though it is cancelled or placed")
            if origin is None:
                sources[Source.OWN] += 1
                continue
            sources[Source.OFFERED if origin.below else Source.GIVEN] += 1
            origins[id(origin)] += 1
            if origin.received.get(attempt.address) is not attempt:
                self.fail(f"{name}: {show(attempt)} waits in the backlog, and {origin.name} has not sent it")
        for source in Source:
            if backlog.count(source) != sources[source]:
                self.fail(f"{name}: {backlog.count(source)} tasks count as {source.name}, and {sources[source]} are")
        for link in links:
            if link.waiting != origins[id(link)]:
                self.fail(f"{name}: {link.waiting} tasks of {link.name} count as waiting, and {origins[id(link)]} are")

    def _link(self, name: str, link: Link) -> None:
        if link.ended:
            self.fail(f"{name}: the link has ended and is still among the node's links")
        for address, attempt in link.sent.items():
            if address != attempt.address or attempt.target is not link:
                self.fail(f"{name}: {show(attempt)} is in sent, but not sent over this link")
            if attempt.cancelled != (address in link.cancelling):
                self.fail(f"{name}: {show(attempt)} is in sent, and its cancel is not in order")
        for address, attempt in link.received.items():
            if address != attempt.address or attempt.origin is not link:
                self.fail(f"{name}: {show(attempt)} is in received, but did not come over this link")
        if not link.cancelling <= link.sent.keys():
            self.fail(f"{name}: cancels are unanswered for tasks that are not in sent")
        if link.below:
            self._unread(name, link)

    def _unread(self, name: str, link: Link) -> None:
        if not (link.unread or link.out_tasks or link.queued or link.queued_us):
            return
        count = sum(batch[0] for batch in link.unread.values()) + len(link.out_tasks)
        cost = sum(batch[1] for batch in link.unread.values()) + sum(a.cost_us for a in link.out_tasks)
        if (link.queued, link.queued_us) != (count, cost):
            self.fail(
                f"{name}: {link.queued} tasks of {link.queued_us} µs are queued, and {count} of {cost} are unread"
            )
        if any(batch[0] < 1 or batch[1] < batch[0] for batch in link.unread.values()):
            self.fail(f"{name}: an unread batch without tasks, or without costs: {link.unread}")
        if any(number > link.batch_sent for number in link.unread):
            self.fail(f"{name}: a batch is unread that was not sent: {link.unread}, last sent {link.batch_sent}")
        open_by_batch = Counter(attempt.batch for attempt in link.sent.values() if attempt.batch in link.unread)
        for number, batch in link.unread.items():
            if open_by_batch[number] != batch[0]:
                self.fail(f"{name}: of batch {number} {batch[0]} tasks count as open, and {open_by_batch[number]} are")


def _is_placed(attempt: Attempt) -> bool:
    """Whether an attempt lies with whom it was given to, or waits to be reported as lost there."""
    target = attempt.target
    if target is None:
        return False
    lost = target.losses.get(attempt.address)
    return target.sent.get(attempt.address) is attempt or (lost is not None and lost[0] is attempt)


def _is_received(attempt: Attempt) -> bool:
    """Whether somebody waits for its end, or a loss waits for it."""
    origin = attempt.origin
    if origin is None:
        return False
    return attempt.parent in origin.unanswered if origin.ended else origin.received.get(attempt.address) is attempt
