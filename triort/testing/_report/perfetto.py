"""A run as Chrome trace events, for Perfetto and chrome://tracing: a process per node, in hierarchy order.

Tasks and jobs are slices; those of one node that overlap lie on threads of their own. Every message is a short slice at
either end, with a flow between them. Times are virtual, in microseconds from the first event on, which may come before
0: a cluster starts before its run. Messages of one moment are drawn one behind the other, within the microsecond that
follows, because a flow leaves from the innermost slice of its moment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from triort.testing._events import Event, Kind
from triort.testing._report.hierarchy import boss_of, depth_of
from triort.testing._report.picture import Bar, Picture, Way, draw_picture
from triort.testing._report.words import said
from triort.testing._run import Run

MESSAGES, SLOTS = 1, 2
"""The thread of the messages, and the first one of the slots."""
MESSAGE_US_MAX = 1.0

Entry = dict[str, Any]
INSTANTS = frozenset({Kind.FAULT, Kind.MARK, Kind.LOG, Kind.CANCELLED, Kind.SETTLE, Kind.DIED, Kind.BORN, Kind.CLOSE})
GLOBAL = frozenset({Kind.FAULT, Kind.MARK})


def trace_json(run: Run) -> str:
    """The trace as JSON text."""
    origin_s = min(0.0, run.events[0].time_s) if run.events else 0.0
    events = [event._replace(time_s=event.time_s - origin_s) for event in run.events] if origin_s else run.events
    picture = draw_picture(events)
    pids = {node: number for number, node in enumerate(picture.nodes, 1)}
    entries = [*bar_entries(picture.bars, events, pids), *message_entries(picture, events, pids)]
    entries += [instant(event, pids) for event in events if event.kind in INSTANTS]
    if run.violation is not None:
        args = {"check": run.violation.check, "text": run.violation.text}
        entries.append(
            point("violation: " + run.violation.check, micros(max(0.0, run.violation.time_s - origin_s)), 0, args)
        )
    entries.sort(key=lambda entry: entry["ts"])
    metadata = {
        "seed": run.plan.seed,
        "tier": run.tier,
        "trace": run.trace_hash,
        "events": run.num_events,
        "origin_s": origin_s,
    }
    trace = {"traceEvents": [*names(picture), *entries], "displayTimeUnit": "ms", "metadata": metadata}
    return json.dumps(trace, separators=(",", ":"))


def micros(seconds: float) -> float:
    """Microseconds, to the nanosecond."""
    return round(seconds * 1e6, 3)


def names(picture: Picture) -> Iterator[Entry]:
    """What the processes and threads are called, and in which order they stand."""
    slots: dict[str, int] = {}
    for bar in picture.bars:
        slots[bar.node] = max(slots.get(bar.node, 0), bar.slot + 1)
    for pid, node in enumerate(picture.nodes, 1):
        yield metadata("process_name", pid, 0, name="\u2003" * depth_of(node) + node)
        yield metadata("process_sort_index", pid, 0, sort_index=pid)
        yield metadata("process_labels", pid, 0, labels=f"below {boss_of(node)}" if boss_of(node) else "")
        yield metadata("thread_name", pid, MESSAGES, name="messages")
        for slot in range(slots.get(node, 0)):
            yield metadata("thread_name", pid, SLOTS + slot, name=f"tasks {slot + 1}")


def metadata(kind: str, pid: int, tid: int, **args: Any) -> Entry:
    """An entry about a process or thread."""
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": args}


def bar_entries(bars: Sequence[Bar], events: Sequence[Event], pids: dict[str, int]) -> list[Entry]:
    """A beginning and an end for each bar; the bars of one thread are in order, as the bars are."""
    found: list[Entry] = []
    for bar in bars:
        first, last = bar.start or 0, len(events) - 1 if bar.end is None else bar.end
        where = {
            "name": bar.name,
            "cat": "job" if bar.is_job else "task",
            "pid": pids[bar.node],
            "tid": SLOTS + bar.slot,
        }
        args = {"how": bar.how, "number": bar.number}
        found.append({"ph": "B", "ts": micros(events[first].time_s), **where, "args": args})
        found.append({"ph": "E", "ts": micros(events[last].time_s), **where})
    return found


def message_entries(picture: Picture, events: Sequence[Event], pids: dict[str, int]) -> Iterator[Entry]:
    """Two short slices for each message, and the flow from one to the other."""
    moments = message_moments(events)
    for number, way in enumerate(picture.ways, 1):
        for index, ph in ((way.sent, "s"), (way.got, "f")):
            if index is not None:
                yield from end_of(way, index, ph, number, moments[index], events[index], pids)


def end_of(
    way: Way, index: int, ph: str, number: int, moment: tuple[float, float], event: Event, pids: dict[str, int]
) -> Iterator[Entry]:
    """One end of a message."""
    start, duration = moment
    where: Entry = {"cat": "message", "ts": start, "pid": pids[event.node], "tid": MESSAGES}
    args = {"frame": event.number, "peer": event.peer, "event": index}
    yield {"ph": "X", "name": said(event), "dur": duration, **where, "args": args}
    if way.sent is not None and way.got is not None:
        flow = {"ph": ph, "name": event.what, "id": number, **where}
        yield flow | {"bp": "e"} if ph == "f" else flow


def message_moments(events: Sequence[Event]) -> dict[int, tuple[float, float]]:
    """When each end of a message is drawn, and how long: so that on no node two of them overlap."""
    by_node: dict[str, dict[float, list[int]]] = {}
    for index, event in enumerate(events):
        if event.kind in (Kind.SEND, Kind.DELIVER):
            by_node.setdefault(event.node, {}).setdefault(micros(event.time_s), []).append(index)
    moments: dict[int, tuple[float, float]] = {}
    for times in by_node.values():
        starts = sorted(times)
        for start, following in zip(starts, [*starts[1:], starts[-1] + MESSAGE_US_MAX], strict=True):
            each = min(MESSAGE_US_MAX, following - start) / len(times[start])
            for place, index in enumerate(times[start]):
                moments[index] = round(start + place * each, 6), round(each, 6)
    return moments


def instant(event: Event, pids: dict[str, int]) -> Entry:
    """A moment at a node, or for faults and marks, of all."""
    name = f"{said(event)} ({event.node})" if event.kind in GLOBAL and event.node else said(event)
    args = {"node": event.node, "what": event.what, "peer": event.peer, "number": event.number, "detail": event.detail}
    entry = point(name, micros(event.time_s), pids.get(event.node, 0), args)
    return entry if event.kind in GLOBAL or not entry["pid"] else entry | {"s": "t", "tid": MESSAGES}


def point(name: str, ts: float, pid: int, args: Entry) -> Entry:
    """A moment that all processes share."""
    return {"ph": "i", "s": "g", "name": name, "ts": ts, "pid": pid, "tid": 0, "args": args}
