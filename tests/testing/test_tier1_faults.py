"""Each kind of fault on the pure cores, by name: what triort has an answer to changes no promise, all else is found."""

from __future__ import annotations

import pytest

from tests.testing.tier1_plans import at, ends_of, events, leaves, of_jobs, parent, plan, ran
from triort._model.limits import FENCE_S, FORGET_S, HEARTBEAT_S, STALL_S, STOP_S
from triort.testing._events import Kind
from triort.testing._plan.plan import Batch, FaultKind, Job, Task
from triort.testing._run import Run

BUSY_S = 0.02
TREE = [2, 3]
ANSWERED = {
    FaultKind.CRASH_WORKER: at(BUSY_S, FaultKind.CRASH_WORKER, "m0.w1"),
    FaultKind.CRASH_MANAGER: at(BUSY_S, FaultKind.CRASH_MANAGER, "m0"),
    FaultKind.JOIN_WORKER: at(BUSY_S, FaultKind.JOIN_WORKER, "m1"),
    FaultKind.JOIN_MANAGER: at(BUSY_S, FaultKind.JOIN_MANAGER, "s", factor=3.0),
    FaultKind.CLOSE: at(BUSY_S, FaultKind.CLOSE, "m0"),
    FaultKind.CUT: at(BUSY_S, FaultKind.CUT, "m0"),
    FaultKind.ONE_WAY: at(BUSY_S, FaultKind.ONE_WAY, "m0", for_s=0.5, side="boss"),
    FaultKind.CLOG: at(BUSY_S, FaultKind.CLOG, "m0", for_s=0.5),
    FaultKind.SLOW_NODE: at(BUSY_S, FaultKind.SLOW_NODE, "m0", for_s=0.5, factor=50.0),
    FaultKind.SLOW_READER: at(BUSY_S, FaultKind.SLOW_READER, "m0", for_s=0.5),
    FaultKind.CLOCK_OFFSET: at(BUSY_S, FaultKind.CLOCK_OFFSET, "s", factor=10.0),
    FaultKind.CLOCK_DRIFT: at(BUSY_S, FaultKind.CLOCK_DRIFT, "m0", factor=3.0),
    FaultKind.CANCEL_JOB: at(BUSY_S, FaultKind.CANCEL_JOB, "j0"),
    FaultKind.CANCEL_STORM: at(BUSY_S, FaultKind.CANCEL_STORM, "s"),
    FaultKind.CANCEL_RACE: at(BUSY_S, FaultKind.CANCEL_RACE, "j0"),
    FaultKind.CLIENT_DEATH: at(BUSY_S, FaultKind.CLIENT_DEATH, "c0"),
    FaultKind.DUPLICATE_CLIENT: at(BUSY_S, FaultKind.DUPLICATE_CLIENT, "c0"),
    FaultKind.CORRUPT_FRAME: at(BUSY_S, FaultKind.CORRUPT_FRAME, "m0", side="boss"),
    FaultKind.HALF_OPEN: at(BUSY_S, FaultKind.HALF_OPEN, "m0", side="boss"),
    FaultKind.VANISH: at(BUSY_S, FaultKind.VANISH, "m0"),
    FaultKind.STALE_INCARNATION: at(BUSY_S, FaultKind.STALE_INCARNATION, "m0"),
}
STOPPED = (FaultKind.CANCEL_JOB, FaultKind.CANCEL_STORM, FaultKind.CANCEL_RACE)


def load(name: str = "j0", *, is_async: bool = False) -> list[Task]:
    """Parents and children all over the cluster, for longer than a fault takes to come."""
    return [
        parent(f"{name}.{i}", Batch(leaves(f"{name}.{i}.1", 12, 0.01, is_async=is_async)), is_async=is_async)
        for i in range(3)
    ]


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
@pytest.mark.parametrize("kind", ANSWERED)
def test_a_fault_with_an_answer_keeps_all_promises(kind: FaultKind, is_async: bool) -> None:
    run = ran(plan(load(is_async=is_async), TREE, faults=[ANSWERED[kind]]))
    assert run.missed == 0
    assert events(run, Kind.FAULT, what=kind)
    expected = "cancelled" if kind in STOPPED else "value"
    assert ends_of(run) == ({} if kind is FaultKind.CLIENT_DEATH else {"j0": expected})


@pytest.mark.parametrize("target", ["m1", "m0.m1", "m0.m1.w2", "c0"])
@pytest.mark.parametrize("kind", [FaultKind.CLOSE, FaultKind.CUT], ids=str)
def test_the_end_of_any_connection_is_answered(kind: FaultKind, target: str) -> None:
    run = ran(plan(load(), [2, 2, 2], faults=[at(BUSY_S, kind, target)]))
    assert ends_of(run) == {"j0": "value"}
    assert run.missed == 0
    ended = Kind.CLOSE if ".w" in target else Kind.BREAK
    assert any(target in (event.node, event.peer) for event in events(run, ended))
    assert bool(events(run, Kind.CLOSE)) == (".w" in target)


@pytest.mark.parametrize("target", ["m1", "m0.m1", "m0.m1.w2", "c0"])
@pytest.mark.parametrize("side", ["boss", "employee"])
def test_a_frame_that_cannot_be_read_costs_its_link(side: str, target: str) -> None:
    run = ran(plan(load(), [2, 2, 2], faults=[at(BUSY_S, FaultKind.CORRUPT_FRAME, target, side=side)]))
    assert ends_of(run) == {"j0": "lost" if target == "c0" else "value"}
    assert any(target in (event.node, event.peer) for event in events(run, Kind.CLOSE))


def test_a_manager_that_crashes_may_come_back_as_another_one() -> None:
    many = leaves("j0", 40, 0.5)
    run = ran(plan(many, TREE, faults=[at(BUSY_S, FaultKind.CRASH_MANAGER, "m0", for_s=0.02)]))
    births = [event.time_s for event in events(run, Kind.BORN, node="m0")]
    assert len(births) == 2
    assert any(event.node.startswith("m0.w") and event.time_s > births[1] for event in events(run, Kind.START))


def test_who_joins_gets_work() -> None:
    faults = [at(0.01, FaultKind.JOIN_MANAGER, "m0", factor=2.0), at(0.01, FaultKind.JOIN_WORKER, "m0.m0")]
    run = ran(plan(load(), [1, 1, 1], faults=faults))
    busy = {event.node for event in events(run, Kind.START)}
    assert {"m0.m1001.w1", "m0.m1001.w2", "m0.m0.w2"} <= busy


def test_a_fault_without_its_target_misses() -> None:
    faults = [
        at(0.0, FaultKind.CRASH_WORKER, "m7.w1"),
        at(0.0, FaultKind.JOIN_WORKER, "s"),
        at(0.0, FaultKind.JOIN_MANAGER, "m0"),
        at(9.0, FaultKind.CUT, "m9"),
        at(9.0, FaultKind.CANCEL_JOB, "j0"),
    ]
    run = ran(plan(load(), TREE, faults=faults))
    assert run.missed == 5
    assert [event.detail for event in events(run, Kind.FAULT)] == ["missed"] * 5


def test_a_server_without_its_last_manager_waits_for_it() -> None:
    run = ran(plan(load(), [1, 3], faults=[at(BUSY_S, FaultKind.CRASH_MANAGER, "m0", for_s=5.0)]))
    assert ends_of(run) == {"j0": "value"}
    assert run.now_s > 5.0


def test_a_manager_of_managers_without_its_last_one_hands_its_tasks_back() -> None:
    run = ran(plan(load(), [2, 1, 2], faults=[at(BUSY_S, FaultKind.CRASH_MANAGER, "m0.m0")]))
    assert ends_of(run) == {"j0": "value"}
    assert not events(run, Kind.DIED, node="m0")


def test_a_worker_that_dies_on_its_way_costs_another_try() -> None:
    faults = [at(BUSY_S, FaultKind.JOIN_WORKER, "m0"), at(BUSY_S + 1e-6, FaultKind.CUT, "m0.w4")]
    run = ran(plan(load(), TREE, faults=faults))
    assert run.marks["a replacement does not start"] == 1
    assert events(run, Kind.BORN, node="m0.w5")
    assert ends_of(run) == {"j0": "value"}


def test_a_worker_that_dies_before_its_start_is_in_the_books_is_replaced() -> None:
    faults = [at(BUSY_S, FaultKind.JOIN_WORKER, "m0"), at(BUSY_S + 1e-6, FaultKind.CRASH_WORKER, "m0.w4")]
    runs = [ran(plan(load(), TREE, faults=faults, seed=seed)) for seed in range(20)]
    assert any(run.marks.get("a worker ends before its start is in the books") for run in runs)
    assert all(events(run, Kind.BORN, node="m0.w5") for run in runs)


def test_a_manager_whose_workers_are_all_gone_keeps_no_tasks() -> None:
    deaths = [at(BUSY_S + 0.004 * i, FaultKind.CRASH_WORKER, f"m0.w{i + 1}") for i in range(24)]
    made = plan(leaves("j0", 900, 3e-3, is_async=False), [2, 1], faults=deaths)
    run = ran(made)
    assert any("replaced slowly" in event.detail for event in events(run, Kind.LOG))
    assert ends_of(run) == {"j0": "value"}


def test_a_second_client_of_the_same_name_takes_nothing_from_the_first() -> None:
    run = ran(plan(load(), TREE, faults=[at(BUSY_S, FaultKind.DUPLICATE_CLIENT, "c0") for _ in range(3)]))
    assert ends_of(run) == {"j0": "value"}
    assert len(events(run, Kind.OPEN, node="c0001")) == 1


@pytest.mark.parametrize("seed", range(8))
def test_long_tasks_on_the_cpu_are_interrupted_soon_after_their_cancel(seed: int) -> None:
    cancel = at(BUSY_S, FaultKind.CANCEL_JOB, "j0")
    run = ran(plan(leaves("j0", 9, 3.0, is_async=False), TREE, faults=[cancel], seed=seed))
    assert ends_of(run) == {"j0": "cancelled"}
    assert run.now_s < BUSY_S + 0.1 + FORGET_S


def test_a_dead_client_costs_only_its_own_jobs() -> None:
    jobs = [Job("j0", load("j0")), Job("j1", load("j1"), client="c1")]
    run = ran(of_jobs(jobs, TREE, faults=[at(BUSY_S, FaultKind.CLIENT_DEATH, "c0")]))
    assert ends_of(run) == {"j1": "value"}


# -- links that go silent --------------------------------------------------------------------------------------------


def breaks(run: Run) -> list[tuple[str, float]]:
    """Who has found which connection broken, and after how many seconds."""
    return [(event.node, round(event.time_s - BUSY_S, 1)) for event in events(run, Kind.BREAK)]


def ends(run: Run) -> list[tuple[str, str, float]]:
    """Who has given up whom, and after how many seconds."""
    found = [event for event in events(run, Kind.CLOSE) if ".w" not in event.node + event.peer]
    return [(event.node, event.peer, round(event.time_s - BUSY_S, 1)) for event in found]


def test_half_a_link_goes_on_as_soon_as_the_dialler_knows() -> None:
    run = ran(plan(load(), TREE, faults=[at(BUSY_S, FaultKind.HALF_OPEN, "m0", side="boss")]))
    assert [(event.node, event.peer) for event in events(run, Kind.RESUME)] == [("m0", "s"), ("s", "m0")]
    assert run.now_s < 1.0


def test_a_link_that_vanishes_goes_on_after_the_stall() -> None:
    run = ran(plan(load(), TREE, faults=[at(BUSY_S, FaultKind.VANISH, "m0")]))
    assert ends_of(run) == {"j0": "value"}
    assert {node for node, _ in breaks(run)} == {"m0", "s"}
    assert {node for node, after_s in breaks(run) if STALL_S - HEARTBEAT_S <= after_s <= STALL_S} == {"m0", "s"}
    assert ends(run) == []


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.VANISH], ids=str)
def test_a_link_that_is_parted_for_long_ends_first_at_the_employee(kind: FaultKind) -> None:
    run = ran(plan(load(), TREE, faults=[at(BUSY_S, kind, "m0", for_s=40.0)]))
    assert ends_of(run) == {"j0": "value"}
    (_, _, stopped), (_, _, fenced) = ends(run)
    assert [(node, peer) for node, peer, _ in ends(run)] == [("m0", "s"), ("s", "m0")]
    assert STOP_S - HEARTBEAT_S <= stopped <= STOP_S
    assert FENCE_S - HEARTBEAT_S <= fenced <= FENCE_S
    assert events(run, Kind.OPEN, node="m0")[-1].time_s > 40.0


def test_a_client_that_is_away_for_less_than_its_lease_gets_its_results() -> None:
    run = ran(plan(load(), TREE, faults=[at(BUSY_S, FaultKind.CUT, "c0", for_s=10.0)]))
    assert ends_of(run) == {"j0": "value"}


def test_a_client_that_is_away_for_longer_loses_its_jobs() -> None:
    run = ran(plan(load(), TREE, faults=[at(BUSY_S, FaultKind.VANISH, "c0", for_s=60.0)]))
    assert ends_of(run) == {"j0": "lost"}


def test_the_jobs_of_a_server_that_crashes_are_lost() -> None:
    run = ran(plan(load(), TREE, faults=[at(BUSY_S, FaultKind.CRASH_SERVER, "s")]))
    assert ends_of(run) == {"j0": "lost"}


def test_a_server_that_is_started_again_takes_new_jobs() -> None:
    jobs = [Job("j0", load("j0")), Job("j1", load("j1"), at_s=0.1)]
    run = ran(of_jobs(jobs, TREE, faults=[at(BUSY_S, FaultKind.CRASH_SERVER, "s", for_s=0.05)]))
    assert ends_of(run) == {"j0": "lost", "j1": "value"}


def test_a_manager_that_was_given_up_serves_again_as_another_one() -> None:
    run = ran(plan(load(), TREE, faults=[at(BUSY_S, FaultKind.STALE_INCARNATION, "m0")]))
    assert len(events(run, Kind.OPEN, node="m0")) == 2
    assert ends_of(run) == {"j0": "value"}
