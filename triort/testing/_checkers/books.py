"""What the checkers about books share: the links of a node, who is at the other end, and what a plan's links take."""

from __future__ import annotations

from collections.abc import Iterator

from triort._core.attempts import Attempt
from triort._core.employee import Employee
from triort._core.links import Link
from triort._core.node_core import NodeCore
from triort._core.worker_core import WorkerCore
from triort._model.ids import show_address
from triort._model.limits import FENCE_S, GRACE_S
from triort.testing._plan.names import is_worker
from triort.testing._plan.plan import LATENCIES, Batch, Fault, FaultKind, Job, Plan, Task
from triort.testing._plan.walk import all_tasks, batches_of, children_of
from triort.testing._run import World

HOLDS = frozenset({FaultKind.ONE_WAY, FaultKind.CLOG, FaultKind.SLOW_NODE, FaultKind.SLOW_READER})
CLOCKS = frozenset({FaultKind.CLOCK_OFFSET, FaultKind.CLOCK_DRIFT})
SILENT = frozenset({FaultKind.HALF_OPEN, FaultKind.VANISH, FaultKind.STALE_INCARNATION})
"""Faults of which one side or both sides of a link know nothing until it has been silent for long."""
SETTLED_S = FENCE_S + 15.0
"""So long after the last fault everybody knows who is gone, and whoever lives has a boss again."""

ANSWER_CROSSINGS = 10
POKES_S = 0.1
TROUBLE_S = 3.0
"""What a manager that ends leaves its workers, and what a replacement may take, and some room."""
GRACES_PER_LEVEL = 2


def links_of(core: NodeCore) -> list[Link]:
    """The links of a server or manager to its boss and its employees."""
    links = [employee.link for employee in core.employees]
    return links if core.boss is None else [core.boss, *links]


def other_end(world: World, employee: Employee) -> NodeCore | WorkerCore | None:
    """The living employee itself, if it is still the one that the books mean."""
    node = world.nodes.get(employee.name)
    if node is not None:
        return node if node.lower_id_bound == employee.lower_id and node.boss is not None else None
    worker = world.workers.get(employee.name)
    return worker if worker is not None and worker.node_id == employee.lower_id else None


def pairs(world: World) -> Iterator[tuple[str, Employee, NodeCore | WorkerCore, Link]]:
    """Each link that both ends have in their books: its name, the boss's side, the employee, and its side."""
    for core in world.nodes.values():
        for employee in core.employees:
            peer = other_end(world, employee)
            if peer is not None and peer.boss is not None:
                yield employee.name, employee, peer, peer.boss


def show(attempt: Attempt) -> str:
    """A task for people: its name where its payload is at hand, else its address."""
    return show_address(attempt.address)


def worst_latency_s(plan: Plan) -> float:
    """How long one frame takes at most."""
    return max(LATENCIES[name][1] for name in plan.latency or ["local"])


def crossing_s(plan: Plan) -> float:
    """How long it takes at most from one worker to any other."""
    return 2 * (len(plan.tree) + 1) * worst_latency_s(plan)


def depth_of(task: Task) -> int:
    """How many levels of tasks there are, with this one."""
    return 1 + max((depth_of(child) for child in children_of(task)), default=0)


def answer_s(plan: Plan) -> float:
    """How long a cancel may take at most to be answered by all that it concerns, by a plan without pauses."""
    tasks = list(all_tasks(plan))
    levels = max((depth_of(item) for job in plan.jobs for item in job.items), default=0)
    graces = GRACES_PER_LEVEL * levels if any(task.stubborn for task in tasks) else 0
    trouble_s = TROUBLE_S if plan.faults or any(task.poison for task in tasks) else 0.0
    return POKES_S + trouble_s + graces * GRACE_S + ANSWER_CROSSINGS * crossing_s(plan)


def options_by_task(plan: Plan) -> dict[str, Batch | Job]:
    """What each task was submitted with, by name."""
    found: dict[str, Batch | Job] = {item.name: job for job in plan.jobs for item in job.items}
    for task in all_tasks(plan):
        for batch in batches_of(task):
            for child in batch.children:
                found[child.name] = batch
    return found


def is_untimely(plan: Plan) -> bool:
    """Whether faults may hold things up for long, or clocks are wrong, so that nothing can be said about times."""
    return any(fault.kind in CLOCKS | HOLDS | SILENT or may_part(fault) for fault in plan.faults)


def may_part(fault: Fault) -> bool:
    """Whether it may take some time until a link between machines goes on, or until its end is known."""
    if fault.kind in SILENT or fault.kind is FaultKind.CRASH_MANAGER:
        return True
    return bool(fault.for_s) and fault.kind in HOLDS | {FaultKind.CUT} and not is_worker(fault.target)


def end_of_trouble(plan: Plan) -> float:
    """When the last fault that lasts, or changes the tree, is over, and its consequences known."""
    ends = [fault.at_s + fault.for_s + (SETTLED_S if may_part(fault) else 0.0) for fault in plan.faults]
    return max(ends, default=0.0)
