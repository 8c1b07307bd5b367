"""Where two runs part, and how two runs and their plans differ."""

import attrs
import msgspec

from tests.testing.report_samples import cut_off, make_plan, make_run, run_of
from triort.testing._events import Event, Kind, Outcome, Violation
from triort.testing._plan.plan import Batch, Compute, Fault, FaultKind, Job, Plan, Task
from triort.testing._report.differences import plan_differences, show_diff
from triort.testing._report.divergence import Divergence, compare_runs, first_divergence, show_divergence

COMMON = [Event(i / 1000, Kind.START, "m0.w1", f"j0.{i}", number=i + 1) for i in range(5)]
LEFT = Event(0.006, Kind.END, "m0.w1", "j0.0", number=1, detail="value")
RIGHT = Event(0.006, Kind.FAULT, "m0", "cut")


def test_the_first_event_that_differs_is_found_with_what_is_around_it() -> None:
    parting = first_divergence([*COMMON, LEFT, *COMMON], [*COMMON, RIGHT, LEFT])
    assert parting == Divergence(5, COMMON[2:], [LEFT, *COMMON[:2]], [RIGHT, LEFT])


def test_the_same_events_do_not_part() -> None:
    assert first_divergence(COMMON, list(COMMON)) is None
    assert first_divergence([], []) is None
    assert compare_runs(run_of(COMMON), run_of(COMMON)) == "Both have the same 5 events."


def test_a_run_that_ends_first_has_nothing_there() -> None:
    parting = first_divergence([*COMMON, LEFT], COMMON)
    assert parting is not None
    assert (parting.index, parting.passing, parting.failing) == (5, [LEFT], [])
    assert show_divergence(parting).splitlines() == [
        "The first 5 events are the same.",
        "both, last:",
        "    0.002000  m0.w1       start j0.2 (number 3)",
        "    0.003000  m0.w1       start j0.3 (number 4)",
        "    0.004000  m0.w1       start j0.4 (number 5)",
        "passing:",
        "    0.006000  m0.w1       end j0.0 value (number 1)",
        "failing: ends here",
    ]


def test_runs_that_have_nothing_in_common_part_at_once() -> None:
    text = compare_runs(run_of([LEFT]), run_of([RIGHT]), ("a", "b"))
    assert text.splitlines() == [
        "They differ from the very first event.",
        "a:",
        "    0.006000  m0.w1       end j0.0 value (number 1)",
        "b:",
        "    0.006000  m0          ✝ cut",
    ]


def test_runs_that_kept_their_last_events_are_compared_by_number() -> None:
    a, b = run_of([*COMMON, LEFT, LEFT]), run_of([*COMMON, LEFT, RIGHT, RIGHT])
    assert compare_runs(cut_off(a, 4), cut_off(b, 5)).startswith("The first 6 events are the same.")
    assert compare_runs(cut_off(a, 4), cut_off(b, 1)).startswith("They part before event 8, ")
    assert compare_runs(cut_off(a, 4), cut_off(a, 2)) == "Both have the same 7 events."


def test_what_was_not_kept_may_differ_though_all_that_was_is_the_same() -> None:
    a, b = run_of([LEFT, *COMMON]), run_of([RIGHT, *COMMON])
    assert compare_runs(cut_off(a, 5), cut_off(b, 5)).startswith("They part before event 2, ")


def test_the_differences_of_plans_are_named_field_by_field() -> None:
    child = Task("j0.0.1.0", [Compute(0.001)])
    a = Plan(2, 7, [2, 2], [Job("j0", [Task("j0.0", [Compute(0.01), Batch([child])])])], latency=["lan"])
    b = Plan(
        2,
        7,
        [2, 3],
        [
            Job(
                "j0",
                [Task("j0.0", [Compute(0.02), Batch([msgspec.structs.replace(child, fails=1)], how="next")])],
                "c1",
            )
        ],
        [Fault(0.0123, FaultKind.CUT, "m0")],
        ["lan"],
        {"slow": 0.5},
        script={3: [1, 0]},
    )
    assert plan_differences(a, b) == [
        "tree: [2, 2] → [2, 3]",
        "jobs[j0].items[j0.0].steps[0].seconds: 0.01 → 0.02",
        "jobs[j0].items[j0.0].steps[1].children[j0.0.1.0].fails: 0 → 1",
        "jobs[j0].items[j0.0].steps[1].how: map → next",
        "jobs[j0].client: c0 → c1",
        "faults[cut m0]: only in b: at 0.0123 s: the connection of m0 to s is cut",
        "buggify[slow]: only in b: 0.5",
        "script[3]: only in b: [1, 0]",
    ]
    assert plan_differences(a, a) == []


def test_removed_faults_and_tasks_do_not_shift_the_others() -> None:
    fault = Fault(1.0, FaultKind.CUT, "m0")
    later = msgspec.structs.replace(fault, at_s=2.0)
    tasks = [Task(f"j0.{i}", [Compute(0.001)]) for i in range(3)]
    a = Plan(2, 7, [2], [Job("j0", tasks)], [Fault(0.5, FaultKind.CLOG, "m1", 2.0), fault, later])
    b = Plan(2, 7, [2], [Job("j0", tasks[::2])], [fault, later])
    assert plan_differences(a, b, ("full", "shrunk")) == [
        "jobs[j0].items[j0.1]: only in full: f, compute 1 ms",
        "faults[clog m1]: only in full: at 0.5 s: nothing gets through between m1 and s for 2 s",
    ]


def test_a_diff_tells_plans_then_ends_then_events_then_outcomes() -> None:
    a = attrs.evolve(run_of([*COMMON, LEFT]), outcomes={"j0.10": Outcome("value", 1), "j0.9": Outcome("value", 1)})
    b = attrs.evolve(
        run_of([*COMMON, RIGHT]),
        plan=make_plan(98),
        violation=Violation("one_outcome", "j0.9 twice"),
        outcomes={"j0.10": Outcome("error")},
    )
    lines = show_diff(a, b, ("a.json", "b.json")).splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["plans", "how they end", "events", "outcomes"]
    assert lines[1] == "  seed: 97 → 98"
    at = lines.index("how they end")
    assert lines[at + 1 : at + 4] == [
        "  a.json: passes, 6 events",
        "  b.json: fails one_outcome: j0.9 twice",
        "events",
    ]
    assert "  b.json:" in lines[at + 4 :]
    assert lines[-3:] == ["outcomes", "  j0.9: value 1 → nothing", "  j0.10: value 1 → error"]


def test_a_diff_of_large_differences_is_cut_and_says_so() -> None:
    a, b = make_run(make_plan(1, num_tasks=200)), make_run(make_plan(2, num_tasks=200))
    lines = show_diff(a, b).splitlines()
    assert sum(line.startswith("  … and ") for line in lines) >= 1
    assert len(lines) < 160


def test_equal_runs_differ_in_nothing() -> None:
    lines = show_diff(make_run(), make_run()).splitlines()
    assert lines.count("  no difference") == 2
    assert any("Both have the same" in line for line in lines)
