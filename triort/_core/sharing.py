"""How much credit an employee has left, and how many of some equal tasks each of several gets, so that their queues
become as even as possible."""

from __future__ import annotations

import heapq
from typing import NamedTuple

from triort._core.links import Link
from triort._model.limits import CREDIT_TASKS_MAX


class Queue(NamedTuple):
    """What one employee has in its queue, in µs for each of its workers; ``room`` is how many more tasks it may get."""

    load_us: float
    num_workers: int
    room: int


def has_credit(link: Link, num_workers: int, credit_us: int) -> bool:
    """Whether an employee with so many workers may be given one more task beyond those that are idle; ``credit_us`` is
    for each of them."""
    return link.queued_us < credit_us * num_workers and link.queued < CREDIT_TASKS_MAX


def queue_of(link: Link, num_workers: int, cost_us: int, credit_us: int) -> Queue:
    """What an employee has in its queue, and how many more tasks of this cost it may get until it has no credit."""
    by_time = -(-(credit_us * num_workers - link.queued_us) // cost_us)
    room = max(min(by_time, CREDIT_TASKS_MAX - link.queued), 0)
    return Queue(link.queued_us / num_workers, num_workers, room)


def share_out(queues: list[Queue], count: int, cost_us: float) -> list[int]:
    """How many each of them gets of ``count`` tasks that take ``cost_us`` each, all of which find room.

    The result is that of giving one after the other to whoever has least at that moment, the first of equals; but
    most of them are given at once, up to a level that all of these can reach together.
    """
    shares = [0] * len(queues)
    order = sorted(range(len(queues)), key=lambda i: queues[i].load_us)
    workers, below_us = 0, 0.0
    level_us = 0.0
    for position, i in enumerate(order):
        workers += queues[i].num_workers
        below_us += queues[i].load_us * queues[i].num_workers
        level_us = (count * cost_us + below_us) / workers
        if position + 1 < len(order) and level_us <= queues[order[position + 1]].load_us:
            break
    level_us -= cost_us / min([queue.num_workers for queue in queues], default=1)  # one by one they differ by so much
    for i, (load_us, num_workers, room) in enumerate(queues):
        if load_us < level_us:
            shares[i] = min(int((level_us - load_us) * num_workers / cost_us), room)
    left = count - sum(shares)
    loads = [
        (load_us + shares[i] * cost_us / num_workers, i)
        for i, (load_us, num_workers, room) in enumerate(queues)
        if shares[i] < room
    ]
    heapq.heapify(loads)
    for _ in range(left):
        load_us, i = loads[0]
        shares[i] += 1
        if shares[i] < queues[i].room:
            heapq.heapreplace(loads, (load_us + cost_us / queues[i].num_workers, i))
        else:
            heapq.heappop(loads)
    return shares
