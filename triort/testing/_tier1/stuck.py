"""Where the open tasks of a cluster lie that does not come to its end."""

from __future__ import annotations

from collections.abc import Iterator

from triort._core.attempts import Attempt
from triort._core.links import Link
from triort._core.node_core import NodeCore
from triort._core.worker_core import WorkerCore
from triort._model.ids import show_address
from triort.testing._tier1.cluster import Cluster

PLACES_MAX = 12


def open_jobs(cluster: Cluster) -> list[str]:
    """The jobs that clients still wait for."""
    return [job.plan.name for client in cluster.clients.values() for job in client.requests.values()]


def where_open(cluster: Cluster) -> str:
    """Open jobs, and the first places where something of them lies."""
    places = list(_places(cluster))
    more = f", and {len(places) - PLACES_MAX} more" if len(places) > PLACES_MAX else ""
    return f"open: {', '.join(open_jobs(cluster)) or 'no job'}; {', '.join(places[:PLACES_MAX])}{more}"


def _places(cluster: Cluster) -> Iterator[str]:
    for name, worker in cluster.hands.items():
        for activity in worker.tasks.open.values():
            left = activity.future.open.values() if activity.future is not None else []
            waits = [worker_task(child.attempt) for child in left][:3]
            yield f"{name}: {activity.task.name} {activity.state.value} {' '.join(waits)}".rstrip()
        yield from _of_worker(name, worker.core)
    for name, boss in cluster.bosses.items():
        yield from _of_node(name, boss.core)


def worker_task(attempt: Attempt) -> str:
    """A task by name where its payload is there, else by address."""
    return attempt.payload.decode() if attempt.payload else show_address(attempt.address)


def _of_worker(name: str, core: WorkerCore) -> Iterator[str]:
    for attempt in core.backlog:
        yield f"{name}: {worker_task(attempt)} waits to start"
    for running in core.running.values():
        if running.result is not None:
            yield f"{name}: {worker_task(running.attempt)} is over but for {len(running.children)} children"
    yield from _of_link(name, core.boss)


def _of_node(name: str, core: NodeCore) -> Iterator[str]:
    for attempt in core.backlog:
        yield f"{name}: {worker_task(attempt)} waits for a place"
    for employee in core.employees:
        yield from _of_link(f"{name}/{employee.name}", employee.link)
    if core.boss is not None:
        yield from _of_link(f"{name}/boss", core.boss)


def _of_link(name: str, link: Link) -> Iterator[str]:
    for key in ("sent", "received"):
        table: dict[object, Attempt] = getattr(link, key)
        if table:
            first = ", ".join(worker_task(attempt) for attempt in list(table.values())[:3])
            yield f"{name}: {len(table)} {key} ({first})"
