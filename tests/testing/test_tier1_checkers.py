"""Each checker about books fails when a book is wrong: tables of real cores are corrupted on purpose, one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.testing.tier1_plans import at, leaves, parent, plan
from triort._core.attempts import Attempt
from triort._core.employee import Employee
from triort._core.links import Link
from triort._core.node_core import NodeCore
from triort._core.worker_core import WorkerCore
from triort._model.ids import Address, Digest, JobId
from triort._model.limits import CREDIT_TASKS_MAX
from triort.testing._checkers import BOOK_CHECKERS
from triort.testing._checkers.blobs_known import BlobsKnown
from triort.testing._checkers.books_balance import BooksBalance
from triort.testing._checkers.both_ends import BothEnds
from triort.testing._checkers.cancels_answered import CancelsAnswered
from triort.testing._checkers.idle_truth import IdleTruth
from triort.testing._checkers.no_attraction import NoAttraction
from triort.testing._checkers.no_starvation import NoStarvation
from triort.testing._checkers.queues_bounded import QueuesBounded
from triort.testing._checkers.tables_empty import TablesEmpty
from triort.testing._events import Violation
from triort.testing._plan.plan import Batch, FaultKind, Task
from triort.testing._run import Checker, Trace
from triort.testing._tier1.cluster import Cluster

BUSY_S = 0.035


def cluster_at(time_s: float) -> Cluster:
    """Parents with children of their own on two levels, all workers busy until 0.1 s."""
    items: list[Task] = [parent(f"j0.{i}", Batch(leaves(f"j0.{i}.1", 24, 6e-3, is_async=False))) for i in range(3)]
    cluster = Cluster(plan(items, [2, 2], retries=3), Trace())
    cluster.start()
    cluster.clients["c0"].submit(cluster.plan.jobs[0])
    while len(cluster.heap) and cluster.heap.next_time() <= time_s:
        cluster.heap.step()
    return cluster


def employee(cluster: Cluster, boss: str = "m0", position: int = 0) -> Employee:
    return cluster.nodes[boss].employees[position]


def busy_link(cluster: Cluster) -> Link:
    """A link to a worker that has been given tasks."""
    links = [each.link for core in cluster.nodes.values() for each in core.employees if each.kind == "worker"]
    return next(link for link in links if link.sent)


def worker_with_children(cluster: Cluster) -> WorkerCore:
    return next(
        core for core in cluster.workers.values() if any(child.attempt.target for child in core.children.values())
    )


def boss_with_backlog(cluster: Cluster) -> NodeCore:
    return next(core for core in cluster.nodes.values() if len(core.backlog))


def some(table: dict[Address, Attempt]) -> Attempt:
    return next(iter(table.values()))


def fails(checker: Checker, cluster: Cluster, corrupt: Callable[[Cluster], object], *, rest: bool = False) -> str:
    """What the checker says once the books are corrupted; before, it has nothing to say."""
    checker.begin(cluster)
    check = checker.at_rest if rest else checker.look
    check()
    corrupt(cluster)
    with pytest.raises(Violation) as caught:
        check()
    assert caught.value.check == checker.name
    return caught.value.text


def orphan(cluster: Cluster) -> None:
    """A task is forgotten where it was placed."""
    for core in cluster.nodes.values():
        if core.boss is not None:
            attempt = next(each for each in core.boss.received.values() if each.target is not None)
            attempt.target = None


def swap_running(cluster: Cluster) -> None:
    core = worker_with_children(cluster)
    core.running.pop(next(iter(core.running)))


CORRUPTIONS: dict[str, tuple[Callable[[Cluster], object], str]] = {
    "queued": (lambda c: setattr(busy_link(c), "queued", busy_link(c).queued + 1), "are unread"),
    "queued_us": (lambda c: setattr(busy_link(c), "queued_us", -5), "are unread"),
    "waiting": (lambda c: setattr(busy_link(c), "waiting", 7), "count as waiting"),
    "target": (lambda c: setattr(some(busy_link(c).sent), "target", None), "not sent over this link"),
    "cancelled unasked": (lambda c: setattr(some(busy_link(c).sent), "cancelled", True), "not in order"),
    "cancelling": (lambda c: busy_link(c).cancelling.add(Address(77)), "not in sent"),
    "ended": (lambda c: setattr(busy_link(c), "ended", True), "has ended"),
    "received": (orphan, "lies nowhere"),
    "backlog": (lambda c: setattr(boss_with_backlog(c).backlog, "_count", 99), "counted in the backlog"),
    "sources": (lambda c: boss_with_backlog(c).backlog._counts.reverse(), "count as"),
    "slots": (lambda c: setattr(next(iter(c.workers.values())), "occupied", 5), "slots are counted"),
    "children": (lambda c: worker_with_children(c).boss.sent.clear(), "lies nowhere"),
    "running": (swap_running, "lies nowhere"),
    "links": (lambda c: c.nodes["m0"]._links.pop(), "list of links"),
    "managers": (lambda c: c.nodes["s"].managers.pop(), "list of managers"),
    "idle": (lambda c: setattr(employee(c, "s"), "num_idle_workers", 2), "on their way"),
}


@pytest.mark.parametrize(("corrupt", "text"), CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_books_that_do_not_balance_are_found(corrupt: Callable[[Cluster], object], text: str) -> None:
    assert text in fails(BooksBalance(), cluster_at(BUSY_S), corrupt)


def test_items_that_are_tried_too_often_are_found() -> None:
    def corrupt(cluster: Cluster) -> None:
        server = cluster.bosses["s"].core
        next(iter(server.jobs.jobs.values())).retried = {0: 4}  # type: ignore[attr-defined]

    assert "4 times again" in fails(BooksBalance(), cluster_at(BUSY_S), corrupt)


LEFTOVERS: dict[str, Callable[[Cluster], object]] = {
    "blobs of a node": lambda c: c.nodes["m0"].hops.blobs.setdefault(JobId(1), {}),
    "blobs of a worker": lambda c: c.workers["m0.w1"].hops.blobs.setdefault(JobId(1), {Digest(b"f"): b""}),
    "known": lambda c: employee(c).link.known.setdefault(JobId(1), set()),
    "sent": lambda c: employee(c).link.sent.update({Address(1): None}),  # type: ignore[dict-item]
    "unread": lambda c: employee(c).link.unread.update({1: [1, 1]}),
    "deadline": lambda c: c.workers["m0.w1"].children.update({Address(1): None}),  # type: ignore[dict-item]
    "status": lambda c: c.nodes["s"].status_desk.rounds.update({1: None}),  # type: ignore[dict-item]
    "heap": lambda c: c.heap.at(1.0, c.start),
    "mail": lambda c: c.hands["m0.w1"]._mail.append((None, [])),  # type: ignore[arg-type]
    "requests": lambda c: c.clients["c0"].statuses.add(1),
}


@pytest.mark.parametrize("corrupt", LEFTOVERS.values(), ids=LEFTOVERS)
def test_anything_left_at_rest_is_found(corrupt: Callable[[Cluster], object]) -> None:
    assert "left at rest" in fails(TablesEmpty(), cluster_at(9.0), corrupt, rest=True)


WRONG_COUNTS: dict[str, Callable[[Cluster], object]] = {
    "idle": lambda c: setattr(employee(c, "s"), "num_idle_workers", 1),
    "workers": lambda c: setattr(employee(c, "s"), "num_workers", 3),
    "tasks": lambda c: setattr(employee(c, "s"), "num_own_tasks", 1),
    "backlog": lambda c: setattr(employee(c, "s"), "backlog", 1),
    "told": lambda c: setattr(c.nodes["m0"].upstream, "idle", (1, 2)),
    "told tasks": lambda c: setattr(c.nodes["m0"].upstream, "tasks", 1),
    "told by a worker": lambda c: setattr(c.workers["m0.w1"], "_told_tasks", 1),
    "gone": lambda c: c._workers.pop("m0.w1"),
}


@pytest.mark.parametrize("corrupt", WRONG_COUNTS.values(), ids=WRONG_COUNTS)
def test_a_count_that_is_not_the_truth_is_found_at_rest(corrupt: Callable[[Cluster], object]) -> None:
    fails(IdleTruth(), cluster_at(9.0), corrupt, rest=True)


def test_ends_of_a_link_that_differ_are_found() -> None:
    assert "knows nothing" in fails(BothEnds(), cluster_at(BUSY_S), lambda c: employee(c, "s").link.sent.clear())
    at_rest: dict[str, Callable[[Cluster], object]] = {
        "differ": lambda c: employee(c).link.sent.update({Address(1): None}),  # type: ignore[dict-item]
        "waits for": lambda c: setattr(employee(c), "wanted", 999),
        "has read": lambda c: setattr(employee(c).link, "batch_sent", 999),
    }
    for text, corrupt in at_rest.items():
        assert text in fails(BothEnds(), cluster_at(9.0), corrupt, rest=True)


def test_a_batch_that_counts_as_read_too_early_is_found() -> None:
    def corrupt(cluster: Cluster) -> None:
        link = busy_link(cluster)
        some(link.sent).batch = 999

    assert "counts as read" in fails(BothEnds(), cluster_at(BUSY_S), corrupt)


def test_a_blob_that_is_not_there_is_found() -> None:
    def corrupt(cluster: Cluster) -> None:
        for core in cluster.workers.values():
            core.hops.blobs.clear()

    assert "believed to have blobs" in fails(BlobsKnown(), cluster_at(BUSY_S), corrupt)


def test_a_task_that_waits_beside_an_idle_worker_is_found() -> None:
    checker, cluster = NoStarvation(), cluster_at(9.0)
    checker.begin(cluster)
    checker.look()
    cluster.nodes["s"].backlog.add(some(busy_link(cluster_at(BUSY_S)).sent))
    checker.look()
    cluster.heap.now += 1.0
    with pytest.raises(Violation, match="is idle and a task waits"):
        checker.look()


def test_tasks_of_a_manager_without_workers_are_found() -> None:
    checker, cluster = NoAttraction(), cluster_at(BUSY_S)
    checker.begin(cluster)
    each = next(each for each in cluster.nodes["s"].employees if each.link.sent)
    each.num_workers = 0
    checker.look()
    cluster.heap.now += 1.0
    with pytest.raises(Violation, match="has had no workers"):
        checker.look()


def test_a_cancel_without_an_answer_is_found() -> None:
    checker, cluster = CancelsAnswered(), cluster_at(BUSY_S)
    checker.begin(cluster)
    link = busy_link(cluster)
    link.cancelling.add(some(link.sent).address)
    checker.look()
    cluster.heap.now += 9.0
    with pytest.raises(Violation, match="has not answered the cancel"):
        checker.look()


BEYOND: dict[str, Callable[[Cluster], object]] = {
    "idle": lambda c: setattr(employee(c), "num_idle_workers", 2),
    "window": lambda c: setattr(employee(c), "offer_window", 1),
    "recalled": lambda c: setattr(employee(c), "recalled", -1),
    "wanted": lambda c: setattr(employee(c), "wanted", 10_000),
    "queued": lambda c: setattr(busy_link(c), "queued", CREDIT_TASKS_MAX + 1_000),
    "results": lambda c: setattr(busy_link(c), "results_unread", -1),
    "credit": lambda c: setattr(c.nodes["m0"], "want_credit", 10_000),
    "credit of a worker": lambda c: setattr(c.workers["m0.w1"], "want", -10_000),
    "spare": lambda c: setattr(c.nodes["m0"].upstream, "spare", -1),
    "all idle": lambda c: setattr(employee(c, "s"), "num_workers", 1_000),
    "costs": lambda c: c.nodes["m0"].placement.costs.update({Digest(b"%d" % i): 1.0 for i in range(10_001)}),
}


@pytest.mark.parametrize("corrupt", BEYOND.values(), ids=BEYOND)
def test_a_queue_or_counter_beyond_its_bound_is_found(corrupt: Callable[[Cluster], object]) -> None:
    fails(QueuesBounded(), cluster_at(BUSY_S), corrupt)


def test_more_than_the_credit_of_a_worker_is_found() -> None:
    def corrupt(cluster: Cluster) -> None:
        link = busy_link(cluster)
        attempt = some(link.sent)
        attempt.cost_us = 3_000
        link.unread[attempt.batch] = [1, 3_000]
        for address in (1, 2, 3):
            link.sent[Address(address)] = attempt

    assert "beyond its credit" in fails(QueuesBounded(), cluster_at(BUSY_S), corrupt)


@pytest.mark.parametrize("checker", BOOK_CHECKERS, ids=lambda each: each.name)
def test_faults_of_which_nobody_learns_turn_no_checker_into_an_error(checker: type[Checker]) -> None:
    made = plan(leaves("j0", 5), faults=[at(5.0, FaultKind.VANISH, "m0")])
    cluster = Cluster(made, Trace())
    each = checker()
    each.begin(cluster)
    cluster.start()
    each.look()
    assert each.name
