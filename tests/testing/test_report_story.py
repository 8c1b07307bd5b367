"""What a failing run prints: all that is needed, in this order, and the plan in words."""

import attrs
import msgspec
import pytest
from rich.cells import cell_len

from tests.testing.report_samples import make_plan, make_run
from triort.testing._events import Violation
from triort.testing._plan.plan import Batch, Compute, Fault, FaultKind, Job, Listen, Plan, Say, Task
from triort.testing._report.plans import show_plan
from triort.testing._report.sentences import SENTENCES, fault_line
from triort.testing._report.story import show_failure

REPLAY = "pytest sim -k storm --sim-seed=97"

PLAN = Plan(
    1,
    97,
    [3, 4],
    [
        Job(
            "j0",
            [
                Task("j0.0", [Compute(0.005)]),
                Task("j0.1", [Compute(0.005)]),
                Task(
                    "j0.2",
                    [
                        Compute(2.5),
                        Batch(
                            [Task(f"j0.2.1.{i}", [Say(2)], is_async=False, function="g", fails=1) for i in range(3)],
                            how="nursery",
                            wait=False,
                            talk=2,
                            retries=1,
                        ),
                        Listen(1),
                    ],
                    poison=-1,
                ),
            ],
            at_s=0.25,
            timeout_s=2e-5,
            crash_limit=2,
            at_most_once=True,
        ),
        Job("j1", [Task("j1.0", [Batch([], catch=True, cancel_after_s=0.1, shared=True)], stubborn=True)], "c1"),
    ],
    [Fault(2.0, FaultKind.CRASH_MANAGER, "m1", for_s=0.5), Fault(0.0123, FaultKind.CUT, "m0.m1")],
    ["local", "lan", "wan"],
    {"slow_exec": 0.25},
    "script",
    {4: [1, 0], 2: [2, 0, 1]},
    found="0.1.0",
)

IN_WORDS = """\
seed      97, found on 0.1.0
tree      [3, 4]: 3 managers of 4 workers, 12 workers in all
latency   local to clients, lan at level 1, wan at level 2 and below
schedule  script
buggify   slow_exec 0.25
heal      all must end within 60 s of the last fault and job
  2 batches of ready tasks in another order
  batch 2: 2 0 1
  batch 4: 1 0
jobs
  j0 by c0 at 0.25 s, 3 items, timeout 20 µs, crash limit 2, at most once
  ├─ j0.0 to j0.1 (2 alike): f, compute 5 ms
  └─ j0.2: f, always kills its worker
     compute 2.5 s
     nursery of 3, left open, 2 messages to each, 1 retry
     └─ j0.2.1.0 to j0.2.1.2 (3 alike): g (sync), fails once, say 2 lines
     listen until 1 message
  j1 by c1 at 0 s, 1 item
  └─ j1.0: f, ignores its cancel
     map of 0, errors caught, cancelled after 100 ms, a shared value
faults
  at 0.0123 s: the connection of m0.m1 to m0 is cut
  at 2 s: manager m1 is killed, with its workers; restarted after 500 ms"""


def test_a_plan_in_words() -> None:
    assert show_plan(PLAN) == IN_WORDS


def test_a_plan_of_nothing_is_short() -> None:
    assert show_plan(Plan(2, 5, [1], [])).splitlines() == [
        "seed      5",
        "tree      [1]: a server with 1 worker",
        "schedule  random",
        "heal      all must end within 60 s of the last fault and job",
        "no jobs",
        "no faults",
    ]


def test_a_large_plan_is_cut_and_says_so() -> None:
    tasks = [Task(f"j0.{i}", [Compute(0.001 * (i + 1))]) for i in range(500)]
    lines = show_plan(Plan(2, 5, [1], [Job("j0", tasks)])).splitlines()
    assert "  … and 381 lines more" in lines
    assert len(lines) < 140


@pytest.mark.parametrize("kind", FaultKind)
def test_every_fault_has_a_sentence_that_names_its_target(kind: FaultKind) -> None:
    target = {FaultKind.CRASH_SERVER: "s", FaultKind.CANCEL_STORM: ""}.get(kind, "m0.m1")
    for side in ("boss", "employee"):
        line = fault_line(Fault(0.5, kind, target, for_s=0.25, factor=3.0, side=side))
        assert line.startswith("at 0.5 s: ")
        assert target in line or target == "s"
        assert "{" not in line
    assert set(SENTENCES) == set(FaultKind)


def test_the_side_of_a_fault_is_told() -> None:
    half = [fault_line(Fault(1.0, FaultKind.HALF_OPEN, "m0", side=side)) for side in ("boss", "employee")]
    assert half == [
        "at 1 s: the connection of m0 to s is cut, and only s learns of it",
        "at 1 s: the connection of m0 to s is cut, and only m0 learns of it",
    ]
    one_way = [fault_line(Fault(1.0, FaultKind.ONE_WAY, "m0", 2.0, side=side)) for side in ("boss", "employee")]
    assert one_way == [
        "at 1 s: nothing gets through from m0 to s for 2 s",
        "at 1 s: nothing gets through from s to m0 for 2 s",
    ]


def test_a_failure_tells_seed_check_replay_plan_events_parting_and_files_in_this_order() -> None:
    run = make_run()
    shrunk = make_run(msgspec.structs.replace(make_plan(num_tasks=6), faults=make_plan().faults[:1]))
    passing = make_run(msgspec.structs.replace(make_plan(num_tasks=6), faults=[]), violation=False)
    text = show_failure(
        run, shrunk=shrunk, passing=passing, replay_line=REPLAY, files=["sim/seed-97.html"], width=140, encoding="utf-8"
    )
    wanted = [
        "Seed 97 failed the check one_outcome",
        "  task j0.0 has come to its parent c0 twice: value 1, value 1",
        "Replay it",
        "  " + REPLAY,
        "The shrunk plan: 1 fault, 10 tasks, 9 nodes; before: 2 faults, 16 tasks, 9 nodes",
        "  faults",
        "    at 0.0123 s: the connection of m1 to s is cut",
        f"The last of {shrunk.num_events:,} events of the shrunk plan",
        "Where it parts from a passing run",
        "  passing:",
        "  failing:",
        "Written",
        "  sim/seed-97.html",
    ]
    lines = text.splitlines()
    places = [lines.index(line) for line in wanted]
    assert places == sorted(places)
    assert "      0.012300  m1          ✝ cut: link to s" in lines


def test_without_a_shrunk_plan_or_a_passing_run_it_says_so() -> None:
    lines = show_failure(make_run(), replay_line=REPLAY, width=140, encoding="utf-8").splitlines()
    assert "The plan, not shrunk" in lines
    assert lines[-1] == "No passing run is at hand to compare it with."


def test_a_run_that_kept_no_events_can_be_told() -> None:
    run = attrs.evolve(make_run(), events=[])
    assert "none was kept" in show_failure(run, replay_line=REPLAY, width=80, encoding="utf-8")


def test_a_shrunk_plan_that_fails_otherwise_says_how() -> None:
    shrunk = attrs.evolve(make_run(), violation=Violation("leaks", "a task is left"))
    assert "\n  it fails leaks: a task is left\n" in show_failure(make_run(), shrunk=shrunk, replay_line=REPLAY)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [60, 100, 160])
def test_a_failure_fits_its_terminal(width: int, encoding: str) -> None:
    violation = Violation("one_outcome", "task j0.0 has come twice, " * 20 + "\nand more\x1b[2J", 0.5)
    run = attrs.evolve(make_run(), violation=violation)
    text = show_failure(run, shrunk=run, passing=make_run(), replay_line=REPLAY, width=width, encoding=encoding)
    assert max(map(cell_len, text.split("\n"))) <= width
    assert "\x1b" not in text
    assert "and more\\x1b[2J" in text
    text.encode(encoding)
