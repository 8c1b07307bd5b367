"""Bugs in `triort._core.node_core` and its handlers: the books of a server or manager."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._core import demand, node_handlers
from triort._core.forgetting import Forgetting
from triort._core.links import Link
from triort._core.node_core import NodeCore
from triort._core.statuses import StatusDesk


@mutant("an idle count is believed though tasks are on their way")
def idle_crosses_tasks():
    return rewrite(NodeCore.handle_waiting, ("employee.num_workers) - on_its_way", "employee.num_workers)"))


@mutant("an employee stays in the table after its link has ended")
def dead_employee_stays():
    return rewrite(NodeCore.handle_disconnect, ("        self.employees.remove(employee)\n", ""))


@mutant("a manager whose link has ended is still asked for tasks")
def dead_manager_stays():
    return rewrite(NodeCore.handle_disconnect, ("            self.managers.remove(employee)\n", "            pass\n"))


@mutant("what was sent over a link that has ended is forgotten")
def losses_forgotten():
    return rewrite(
        NodeCore.handle_disconnect,
        ("self.hops.end_link(link, blame)", "link.sent.clear(); self.hops.end_link(link, blame)"),
    )


@mutant("the blobs of a job that has ended stay below")
def blobs_stay_below():
    return rewrite(Link.forget, ("self.out_forgets.append(job)", "pass"))


@mutant("the blobs of a job that has ended stay at the node")
def blobs_stay_here():
    return rewrite(Forgetting.note, ("blobs.pop(job, {})", "blobs.get(job, {})"))


@mutant("the want of a boss leaks when tasks are handed over to it")
def want_leaks():
    return rewrite(demand.hand_over, ("node.want_credit -= 1", "node.want_credit = 0"))


@mutant("an idle count is believed, and nothing is placed for it")
def no_schedule_after_outcomes():
    return rewrite(node_handlers.waiting, ("node.handle_waiting(link.conn, msg.idle, msg.receipt)",
        "node.conn_to_employee_dict[link.conn].num_idle_workers = msg.idle"))  # fmt: skip


@mutant("what a parent says to a task in the backlog of a manager is lost")
def talk_not_kept():
    return rewrite(node_handlers.talk, ("attempt.keep_talk(payload[0])", "pass"))


@mutant("what a parent says to a task is not passed on")
def talk_not_passed():
    return rewrite(node_handlers.talk, ("attempt.target.say(attempt, payload[0])", "pass"))


@mutant("a manager tells of workers, and its boss believes it has as many as at its start")
def workers_miscounted():
    return rewrite(node_handlers.waiting, ("if msg.workers >= 0 and not employee.draining:", "if False:"))


@mutant("who was to blame is lost on the way up")
def blame_lost():
    return rewrite(node_handlers.lost, ("(attempt, loss)", "(attempt, loss._replace(blamed=False))"))


@mutant("a cancel from the boss is not read by managers")
def cancel_not_read():
    return rewrite(node_handlers.cancel, ("node.hops.cancel_received(link, msg.addresses)", "return"))


@mutant("a request for status waits for a manager that is gone")
def status_stuck():
    return rewrite(StatusDesk.do_without, ("            self._finish(number)", "            pass"))
