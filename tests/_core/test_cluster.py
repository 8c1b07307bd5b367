"""Whole clusters of real cores, many seeds: outcomes as a sequential interpreter has them, and nothing left behind."""

from itertools import count
from random import Random

import pytest

from tests._core.cluster import Cluster
from tests._core.monitor import Starvation, leftovers
from tests._core.scripts import Batch, Compute, Script, grow
from triort._model.ids import NODE_ID_LIMIT

TREES = [(1,), (3,), (2, 2), (1, 2), (3, 1), (2, 2, 2), (1, 1, 1), (4, 4)]
SEEDS_PER_TEST = 20


class Plan:
    """One random cluster with its job; the faults are added by the tests."""

    def __init__(self, seed: int, *, cancelled: bool = False) -> None:
        self.rng = rng = Random(seed)
        self.cluster = Cluster(seed, rng.choice(TREES), latency_s=rng.choice([1e-5, 1e-4, 1e-3]))
        Starvation(self.cluster)
        numbers = count(1)
        width, unit_s = rng.choice([2, 3, 8]), rng.choice([1e-4, 1e-3, 8e-3])
        depth, items = rng.randrange(5), rng.choice([1, 1, 3, 10])
        self.items = [grow(rng, lambda: next(numbers), depth, width, unit_s) for _ in range(items)]
        for item in self.items:
            item.fragile = cancelled
        self.job = self.cluster.submit(self.items)

    def soon(self, fault: object, mean_s: float = 1e-2) -> None:
        assert callable(fault)
        self.cluster.at(self.rng.expovariate(1 / mean_s), fault)

    def kill_worker(self) -> None:
        if self.cluster.workers:
            self.cluster.kill(self.rng.choice(self.cluster.workers), self.rng.choice([1e-4, 1e-2]))

    def kill_manager(self) -> None:
        """A manager vanishes, and another one joins the server later."""
        managers = [manager for manager in self.cluster.managers if manager.above is not None]
        if managers:
            self.cluster.kill_manager(self.rng.choice(managers))
            self.cluster.at(2e-3, self.join_manager)

    def join_manager(self) -> None:
        server, rng = self.cluster.server, self.rng
        upper = NODE_ID_LIMIT - 10_000 * len(server.managers)
        self.cluster.add_manager(server, upper - 10_000, upper, rng.choice([(1,), (3,), (2, 2)]))

    def join_worker(self) -> None:
        bosses = [manager for manager in self.cluster.managers if manager.watches]
        if bosses:
            self.rng.choice(bosses).add_worker()

    def check(self) -> None:
        cluster = self.cluster
        cluster.run(within_s=100.0)
        assert leftovers(cluster) == []
        assert sorted(cluster.client_outcomes) == [item.number for item in self.items]
        assert cluster.ended_jobs == [self.job]


def seeds(first: int, tests: int) -> pytest.MarkDecorator:
    starts = range(first, first + tests * SEEDS_PER_TEST, SEEDS_PER_TEST)
    return pytest.mark.parametrize("seed", [pytest.param(start, id=f"seeds from {start}") for start in starts])


@seeds(0, 5)
def test_a_job_ends_as_if_one_worker_had_done_it(seed: int) -> None:
    for each in range(seed, seed + SEEDS_PER_TEST):
        Plan(each).check()


@seeds(100_000, 5)
def test_a_cancelled_job_ends_and_leaves_nothing(seed: int) -> None:
    for each in range(seed, seed + SEEDS_PER_TEST):
        plan = Plan(each, cancelled=True)
        plan.soon(plan.cluster.cancel)
        plan.check()


@seeds(200_000, 8)
def test_dead_workers_change_no_outcome(seed: int) -> None:
    for each in range(seed, seed + SEEDS_PER_TEST):
        plan = Plan(each)
        for _ in range(plan.rng.randint(1, 8)):
            plan.soon(plan.kill_worker)
        plan.check()


@seeds(300_000, 5)
def test_dead_managers_change_no_outcome(seed: int) -> None:
    for each in range(seed, seed + SEEDS_PER_TEST):
        plan = Plan(each)
        if len(plan.cluster.managers) > 1:
            for _ in range(plan.rng.randint(1, 3)):
                plan.soon(plan.kill_manager)
        plan.check()


@seeds(400_000, 8)
def test_everything_at_once_still_ends(seed: int) -> None:
    for each in range(seed, seed + SEEDS_PER_TEST):
        plan = Plan(each, cancelled=each % 2 == 0)
        faults = [plan.kill_worker, plan.kill_worker, plan.join_worker]
        if len(plan.cluster.managers) > 1:
            faults += [plan.kill_manager, plan.join_manager]
        for _ in range(plan.rng.randint(1, 8)):
            plan.soon(plan.rng.choice(faults))
        if each % 2 == 0:
            plan.soon(plan.cluster.cancel)
        plan.check()


def test_a_tree_of_a_thousand_tasks_on_two_levels() -> None:
    cluster = Cluster(1, (4, 4))
    numbers = count(1)

    def task(*children: Script) -> Script:
        steps: list[Compute | Batch] = [Compute(1e-3), *([Batch(list(children))] if children else [])]
        script = Script(next(numbers), list(steps))
        for child in children:
            child.parent = script
        return script

    root = task(*[task(*[task() for _ in range(32)]) for _ in range(32)])
    cluster.submit([root])
    cluster.run()
    assert leftovers(cluster) == []
    assert cluster.monitor.starts == 1 + 32 + 32 * 32
