"""At rest nothing of any task is left in any book: no entry, no backlog, no blob, no deadline, no receipt."""

from __future__ import annotations

from triort._core.links import Link
from triort._core.node_core import NodeCore
from triort._core.server_core import ServerCore
from triort._core.worker_core import WorkerCore
from triort.testing._checkers.books import links_of
from triort.testing._run import Checker

SHOWN_MAX = 5


class TablesEmpty(Checker):
    """Holds at rest."""

    name = "tables_empty"

    def at_rest(self) -> None:
        """Look for leftovers."""
        found = [f"this tier: {left}" for left in self.world.leftovers()]
        for name, core in self.world.nodes.items():
            found += _of_node(name, core)
        for name, worker in self.world.workers.items():
            found += _of_worker(name, worker)
        if found:
            more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
            self.fail(f"left at rest: {'; '.join(found[:SHOWN_MAX])}{more}")


def _of_node(name: str, core: NodeCore) -> list[str]:
    tables: dict[str, object] = {
        "backlog": list(core.backlog), "aside": core.backlog.list_aside(), "suspects": core.suspects.extras,
        "blobs": core.hops.blobs, "status rounds": core.status_desk.rounds,
        "status requests": core.status_desk.waiting,
        "ended links": core.hops.ended, "outbox": core.outbox,
    }  # fmt: skip
    if isinstance(core, ServerCore):
        jobs = core.jobs
        tables |= {
            "jobs": jobs.jobs, "requests": jobs.requests.jobs, "changed jobs": jobs._dirty,
            "answers": jobs._answers, "deadline": jobs.next_deadline(),
        }  # fmt: skip
    found = _filled(name, tables)
    for link in links_of(core):
        found += _of_link(f"{name}/{link.name}", link)
    return found


def _of_worker(name: str, core: WorkerCore) -> list[str]:
    tables = {
        "running": core.running, "children": core.children, "backlog": list(core.backlog),
        "aside": core.backlog.list_aside(), "occupied": core.occupied,
        "blobs": core.hops.blobs, "deadline": core.next_deadline(), "events": core.events, "outbox": core.outbox,
    }  # fmt: skip
    return _filled(name, tables) + _of_link(f"{name}/boss", core.boss)


def _of_link(name: str, link: Link) -> list[str]:
    tables = {
        "received": link.received, "sent": link.sent, "cancelling": link.cancelling, "known": link.known,
        "unread": link.unread, "queued": link.queued, "queued_us": link.queued_us, "waiting": link.waiting,
        "losses": link.losses, "unanswered": link.unanswered, "out_tasks": link.out_tasks,
        "out_returned": link.out_returned, "out_results": link.out_results, "out_lost": link.out_lost,
        "out_talk": link.out_talk, "out_cancels": link.out_cancels,
    }  # fmt: skip
    return _filled(name, tables)


def _filled(name: str, tables: dict[str, object]) -> list[str]:
    return [f"{name}: {key} ({_size(table)})" for key, table in tables.items() if table]


def _size(table: object) -> str:
    return f"{len(table)}" if isinstance(table, list | dict | set) else f"{table}"
