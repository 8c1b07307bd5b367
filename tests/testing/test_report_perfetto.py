"""The trace for Perfetto: well formed, sorted, every slice closed and every flow with two ends."""

import json
from collections import Counter
from typing import Any

import attrs
from hypothesis import given

from tests.testing.report_samples import any_events, cut_off, make_run, run_of
from triort.testing._events import Event, Kind, Violation
from triort.testing._report.perfetto import trace_json
from triort.testing._run import Run

Entry = dict[str, Any]


def trace_of(run: Run) -> list[Entry]:
    entries: list[Entry] = json.loads(trace_json(run))["traceEvents"]
    return entries


def check(entries: list[Entry]) -> None:
    timed = [entry for entry in entries if entry["ph"] != "M"]
    times = [entry["ts"] for entry in timed]
    assert times == sorted(times)
    pids = {entry["pid"] for entry in entries if entry["name"] == "process_name"}
    assert {entry["pid"] for entry in timed} <= pids | {0}
    check_slices(timed)
    check_messages(timed)


def check_slices(timed: list[Entry]) -> None:
    """On each thread, what began last ends first, and all that began ends."""
    opened: dict[tuple[int, int], list[str]] = {}
    for entry in timed:
        thread = opened.setdefault((entry["pid"], entry["tid"]), [])
        if entry["ph"] == "B":
            assert thread == []
            thread.append(entry["name"])
        elif entry["ph"] == "E":
            assert thread.pop() == entry["name"]
    assert {name for thread in opened.values() for name in thread} == set()


def check_messages(timed: list[Entry]) -> None:
    """Slices of one thread do not overlap; each flow leaves one of them and enters another, not before."""
    slices = [entry for entry in timed if entry["ph"] == "X"]
    free_from: dict[tuple[int, int], float] = {}
    for entry in slices:
        thread = (entry["pid"], entry["tid"])
        assert free_from.get(thread, 0.0) <= entry["ts"] + 1e-5
        free_from[thread] = entry["ts"] + entry["dur"]
    starts = {(entry["pid"], entry["tid"], entry["ts"]) for entry in slices}
    flows: dict[int, list[str]] = {}
    for entry in timed:
        if entry["ph"] in ("s", "f"):
            assert (entry["pid"], entry["tid"], entry["ts"]) in starts
            flows.setdefault(entry["id"], []).append(entry["ph"])
    assert all(sorted(ends) == ["f", "s"] for ends in flows.values())


def test_a_whole_run_is_well_formed() -> None:
    run = make_run()
    entries = trace_of(run)
    check(entries)
    phases = Counter(entry["ph"] for entry in entries)
    kinds = Counter(event.kind for event in run.events)
    assert phases["X"] == kinds[Kind.SEND] + kinds[Kind.DELIVER]
    assert phases["s"] == phases["f"] == kinds[Kind.DELIVER]
    assert phases["B"] == phases["E"] == kinds[Kind.START] + 1


def test_the_end_of_a_run_is_well_formed() -> None:
    for kept in (0, 1, 50, 200):
        check(trace_of(cut_off(make_run(), kept)))


@given(any_events(40))
def test_whatever_happens_is_well_formed(events: list[Event]) -> None:
    check(trace_of(run_of(events)))


def test_processes_stand_in_the_order_of_the_hierarchy() -> None:
    entries = trace_of(make_run())
    names = {entry["pid"]: entry["args"]["name"] for entry in entries if entry["name"] == "process_name"}
    order = {entry["pid"]: entry["args"]["sort_index"] for entry in entries if entry["name"] == "process_sort_index"}
    assert [names[pid] for pid in sorted(names, key=order.__getitem__)] == [
        "c0", "s",
        "\u2003m0", "\u2003\u2003m0.w1", "\u2003\u2003m0.w2", "\u2003\u2003m0.w3",
        "\u2003m1", "\u2003\u2003m1.w1", "\u2003\u2003m1.w2", "\u2003\u2003m1.w3",
    ]  # fmt: skip


def test_a_task_without_duration_begins_before_it_ends() -> None:
    events = [
        Event(1.5, Kind.START, "s.w1", "j0.0", number=1),
        Event(1.5, Kind.END, "s.w1", "j0.0", number=1, detail="value"),
        Event(1.5, Kind.START, "s.w1", "j0.1", number=2),
    ]
    slices = [entry for entry in trace_of(run_of(events)) if entry["ph"] in "BE"]
    assert [(entry["ph"], entry["name"], entry["ts"]) for entry in slices] == [
        ("B", "j0.0", 1.5e6),
        ("E", "j0.0", 1.5e6),
        ("B", "j0.1", 1.5e6),
        ("E", "j0.1", 1.5e6),
    ]
    assert [entry["args"]["how"] for entry in slices if entry["ph"] == "B"] == ["value", "open"]


def test_messages_of_one_moment_are_drawn_before_the_next_moment() -> None:
    sends = [Event(0.0, Kind.SEND, "s", "Submit", f"m{i}", 1) for i in range(4)]
    entries = trace_of(run_of([*sends, Event(5e-7, Kind.SEND, "s", "Submit", "m0", 2)]))
    check(entries)
    assert [entry["ts"] for entry in entries if entry["ph"] == "X"] == [0.0, 0.125, 0.25, 0.375, 0.5]


def test_faults_marks_and_the_violation_are_seen_everywhere() -> None:
    entries = trace_of(make_run())
    everywhere = [entry["name"] for entry in entries if entry["ph"] == "i" and entry["s"] == "g"]
    assert everywhere == [
        "✝ slow_node: factor 3 for 0.02 s (m0.w1)",
        "✝ cut: link to s (m1)",
        "mark requeued (s)",
        "violation: one_outcome",
    ]


def test_no_time_is_negative_though_a_cluster_starts_before_its_run() -> None:
    events = [Event(-60.0, Kind.BORN, "s"), Event(0.5, Kind.START, "s.w1", "j0.0")]
    run = attrs.evolve(run_of(events), violation=Violation("leaks", "one", 0.5))
    trace = json.loads(trace_json(run))
    assert [entry["ts"] for entry in trace["traceEvents"] if "ts" in entry] == [0.0, 60.5e6, 60.5e6, 60.5e6]
    assert trace["metadata"]["origin_s"] == -60.0


def test_names_of_any_kind_are_still_json() -> None:
    strange = 'j0.0"</script>\\\ud800\u2028'
    run = attrs.evolve(run_of([Event(0.0, Kind.START, "s.w1", strange)]), violation=Violation(strange, strange))
    assert any(entry["name"] == strange for entry in trace_of(run))
