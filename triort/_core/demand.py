"""Who is asked for work: offers of new tasks from below, and given tasks that have not found a place.

**Offers.** An employee may offer so many new tasks, its window. What it has offered is parked here, so an idle worker
gets it at once. A window that was empty before it could be renewed is widened if somebody is short of work, one that
lasted long is narrowed; so a tree that is busy everywhere sends nothing. One that fast tasks have not used up soon is
left over from other work, and closed as far as it is of no use now: through it a tree's leaves left one by one that
their worker needed itself, and the tree took twice as long. An employee that has not touched its window is poor: it has
nothing but what it was given. Such may queue what others have offered; the rich would only pass their leaves around.

**Recall.** What a manager was given and cannot place it reports as its backlog, when there is some and whenever that
has doubled. A node that has idle workers and nothing for them asks the manager with the largest reported backlog
for as many tasks as it has idle workers, once at a time; the manager asks those below it for what it lacks, and hands
on what comes. When all have answered it answers, too, with what it still has. Without an answer two nodes once asked
and reported for ever, about tasks that had long ended; with an early one, tasks went to and fro.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triort._core.backlog import Source
from triort._core.links import Send
from triort._model.limits import OFFERS_MAX, OFFERS_MIN, SHORT_TASK_US, STUCK_S, WINDOW_SLOW_S
from triort._model.marks import buggify, sometimes
from triort._model.messages import Want

if TYPE_CHECKING:
    from triort._core.employee import Employee
    from triort._core.node_core import NodeCore

ANSWER_S = 2 * STUCK_S
TASKS_CHANGE_MIN = 32


def grant_offers(node: NodeCore, num_idle: int) -> None:
    """Let employees offer more new tasks that have used up their window, where the offers here run low; close the
    windows of those whose short tasks have not used them up."""
    if len(node.employees) == 1 and node.boss is None:
        return
    for link in node.touched:
        if link.below and link.waiting <= OFFERS_MAX // 2:
            employee = node.conn_to_employee_dict.get(link.conn)
            if employee is None or (employee.is_extra and not link.sent):  # the latter is to go
                continue
            outside = max(num_idle - employee.num_idle_workers, 0) + wanted_above(node)
            if employee.wanted <= 0:
                if link.waiting <= employee.offer_window // 2:
                    _renew(node, employee, link.waiting, outside)
            elif node.now > employee.granted_at + WINDOW_SLOW_S and 0 < node.placement.mean_us < SHORT_TASK_US:
                _close(node, employee, link.waiting, min(outside + OFFERS_MIN, OFFERS_MAX))


def _renew(node: NodeCore, employee: Employee, waiting: int, outside: int) -> None:
    if not waiting:
        if outside or any(other.is_poor for other in node.employees):
            employee.offer_window = min(max(employee.offer_window * 4, outside + OFFERS_MIN), OFFERS_MAX)
    elif node.now > employee.granted_at + WINDOW_SLOW_S:
        employee.offer_window = max(employee.offer_window // 2, OFFERS_MIN)
    if buggify("tiny windows"):
        employee.offer_window = OFFERS_MIN
    _grant(node, employee, waiting)


def _close(node: NodeCore, employee: Employee, waiting: int, of_use: int) -> None:
    """The window was not used up soon: it is to be no wider than can be of use now."""
    if employee.wanted > of_use:
        sometimes("a window that is left over is closed")
        offered = employee.granted - employee.wanted
        employee.offer_window = of_use
        _grant(node, employee, waiting)
        employee.granted += offered  # it is no poorer than before


def _grant(node: NodeCore, employee: Employee, waiting: int) -> None:
    """From now on the employee may offer as many as its window has room for."""
    wanted = max(employee.offer_window - waiting, 1)
    credit = wanted - employee.wanted
    employee.wanted = employee.granted = wanted
    employee.granted_at = node.now
    node.outbox.append(Send(employee.conn, Want(credit), ()))


def wanted_above(node: NodeCore) -> int:
    """How many new tasks the boss still takes; its credit is negative where more was offered than it wants now."""
    return max(node.want_credit, 0)


def idle_elsewhere(node: NodeCore, employee: Employee) -> int:
    """How many idle workers there are for what this employee has: with the others here, and above."""
    return node.num_idle_workers - employee.num_idle_workers + wanted_above(node)


def recall_from_worker(node: NodeCore, employee: Employee) -> None:
    """The worker is on one long task: take what it has not started, and what the task has submitted, and do not queue
    more behind it for a while."""
    sometimes("tasks behind a long one are recalled")
    employee.stuck_until = node.now + 2 * STUCK_S
    credit = max(node.num_idle_workers + wanted_above(node) + OFFERS_MIN - employee.wanted, 0)
    employee.wanted += credit
    employee.granted = employee.wanted
    node.outbox.append(Send(employee.conn, Want(credit, len(employee.link.sent)), ()))


def hand_over(node: NodeCore, count: int) -> int:
    """The boss has workers for so many tasks that wait here: given ones go back, others up as new."""
    if node.boss is None:
        return 0
    done = node.hops.give_back(node.boss, count)
    while done < count and (attempt := node.backlog.pop_shallowest_new()) is not None:
        node.want_credit -= 1
        node.boss.place(attempt)
        done += 1
    return done


def pull_back(node: NodeCore, idle: int) -> None:
    """Ask managers below for tasks that have found no place there: for so many idle workers, and for what the boss
    wants back. When nobody is left to ask or to answer, the boss's wish is over."""
    _ask_below(node, idle + node.upstream.asked)
    if node.upstream.asked and not answers_due(node):
        node.upstream.asked = 0


def _ask_below(node: NodeCore, needed: int) -> None:
    holders = (
        [employee for employee in node.managers if employee.backlog > 0 and not employee.is_stalled] if needed else []
    )
    if not holders:
        return
    needed -= answers_due(node)
    holders.sort(key=lambda employee: -employee.backlog)
    for employee in holders:
        count = min(needed, employee.backlog)
        if count <= 0:
            return
        if not employee.recalled:
            needed -= count
            sometimes("tasks without a place are asked back")
            employee.recalled, employee.recalled_at = count, node.now
            employee.backlog -= count
            node.outbox.append(Send(employee.conn, Want(0, count), ()))


def answers_due(node: NodeCore) -> int:
    """For how many tasks managers were asked who will answer soon; nobody waits for one that is silent for long."""
    asked = [each for each in node.managers if each.recalled]
    return sum(each.recalled for each in asked if node.now < each.recalled_at + ANSWER_S)


def spare_tasks(node: NodeCore) -> int:
    """How many tasks that were given have no place, here and below, beside those that the boss has asked for. Those
    below a link without a connection cannot be had; to count them made the boss ask again and again."""
    spare = node.backlog.count(Source.GIVEN)
    for employee in node.managers:
        if not (employee.recalled or employee.is_stalled):  # else its answer is on its way, or nothing comes
            spare += employee.backlog
    return max(spare - node.upstream.asked, 0)


def is_news(change: int, told: int, *, exact: bool) -> bool:
    """Whether a count that has changed so much is worth a message: any change at rest, a large one in between."""
    return change > 0 and (exact or change >= max(TASKS_CHANGE_MIN, abs(told) // 2))
