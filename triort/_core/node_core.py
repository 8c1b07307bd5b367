"""What a manager or server decides: the seed's methods, as plain synchronous code over the books of the links.

An event comes in by `handle_message` (or `handle_disconnect`), with ``now`` set by the node beforehand. What is to be
sent gathers in the links and is packed into ``outbox`` by `flush`, once for each batch of events. ``conn`` is an opaque
link value all through.

Work goes down on credit (`placement`) and up on the boss's `Want`: an employee may offer so many new tasks, and
the boss widens the window while offers are taken at once and narrows it when they stay. So a tree that is busy
everywhere sends nothing, and one with idle subtrees hands them the shallowest, largest pieces.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

from triort._core.attempts import Attempt, Result
from triort._core.hops import Hops, Owner
from triort._core.links import Link, Loss, Send
from triort._core.node_handlers import FROM_ABOVE, FROM_BELOW
from triort._core.placement import OFFERS_MAX, Choose, Employee, Placement
from triort._core.statuses import StatusDesk
from triort._model.errors import ProtocolError
from triort._model.ids import NODE_ID_LIMIT, Address, JobId
from triort._model.limits import OFFERS_MIN
from triort._model.messages import (
    Forget,
    Log,
    Message,
    Print,
    Shutdown,
    SystemError_,
    Update,
    Waiting,
    Want,
)

SCHEDULE_CHUNK = 64


class Direction(enum.Enum):
    """Where a message comes from."""

    ABOVE = "boss"
    BELOW = "employee"
    CLIENT = "client"


class NodeCore:
    """The books of a manager or server. Subclassed by `ServerBase`, which does the I/O."""

    kind = "manager"

    def __init__(self, *, choose: Choose, owner: Owner | None = None) -> None:
        self.name = ""
        self.pid = 0
        self.lower_id_bound = 0
        self.upper_id_bound = NODE_ID_LIMIT
        self.running = False
        self.now = 0.0
        self.boss: Link | None = None
        self.employees: list[Employee] = []
        self.conn_to_employee_dict: dict[object, Employee] = {}
        self.hops = Hops(owner)
        self.backlog = self.hops.backlog
        self.placement = Placement(choose)
        self.outbox: list[Send] = []
        self.status_desk = StatusDesk(self)
        self._links: list[Link] = []
        self.grantees: dict[object, Employee] = {}
        self.want_credit = 0
        self.task_diff = 0
        self._last_idle_sent_up = (0, 0)

    # -- the tree ------------------------------------------------------------------------------------------------

    def add_employee(self, employee: Employee) -> None:
        """An employee has started; it may be given tasks from now on."""
        employee.num_idle_workers = employee.num_workers
        self.employees.append(employee)
        self.grantees = {each.conn: each for each in self.employees}
        self.conn_to_employee_dict[employee.conn] = employee
        self._links.append(employee.link)
        self.schedule_tasks([])

    def set_boss(self, conn: object, name: str, lower_id: int, upper_id: int) -> None:
        """The boss has connected and given this node its share of the ids."""
        self.boss = Link(conn, name, below=False)
        self.lower_id_bound = lower_id
        self.upper_id_bound = upper_id
        self._links.append(self.boss)

    @property
    def total_workers(self) -> int:
        """Workers below this node, at all levels."""
        return sum(employee.num_workers for employee in self.employees)

    @property
    def num_idle_workers(self) -> int:
        """Idle workers below this node, as far as it knows."""
        return sum(employee.num_idle_workers for employee in self.employees)

    def is_my_worker(self, worker_id: int) -> bool:
        """True if ``worker_id`` is one of my workers (recursively)."""
        return self.lower_id_bound <= worker_id < self.upper_id_bound

    def get_employee_responsible_for(self, worker_id: int) -> Employee:
        """The employee that manages ``worker_id`` or is it; raises KeyError when there is none."""
        for employee in self.employees:
            if employee.lower_id <= worker_id < employee.upper_id:
                return employee
        raise KeyError(f"{self.name} has no employee responsible for worker {worker_id}")

    # -- events --------------------------------------------------------------------------------------------------

    def handle_message(self, msg: Message, direction: Direction, conn: object, payload: Sequence[bytes]) -> None:
        """Process the message coming from ``direction``; ``payload`` holds its opaque parts."""
        if direction is Direction.BELOW:
            link = self.conn_to_employee_dict[conn].link
            handler = FROM_BELOW.get(type(msg))
        else:
            if self.boss is None or direction is not Direction.ABOVE:
                raise ProtocolError(f"{type(msg).__name__} is not for this node")
            link = self.boss
            handler = FROM_ABOVE.get(type(msg))
        if handler is None:
            raise ProtocolError(f"{link.name} may not send {type(msg).__name__}")
        handler(self, link, msg, payload)

    def handle_disconnect(self, conn: object, blame: Loss | None = None) -> None:
        """Remove ``conn``: what was sent over it is lost, what was received over it is cancelled onwards."""
        employee = self.conn_to_employee_dict.pop(conn, None)
        if employee is not None:
            self.employees.remove(employee)
            self.grantees.pop(conn, None)
            link = employee.link
        elif self.boss is not None and self.boss.conn == conn:
            link, self.boss = self.boss, None
            self.want_credit = 0
        else:
            return
        self._links.remove(link)
        self.status_desk.drop(conn)
        self.hops.end_link(link, blame)
        self.schedule_tasks([])

    def handle_system_error(self, error_str: str) -> None:
        """Tell those above that this node has failed in its own code, as opposed to client code."""
        if self.boss is not None:
            self.outbox.append(Send(self.boss.conn, SystemError_(self.name, error_str), ()))

    def handle_shutdown(self) -> None:
        """Tell all employees to end; the node ends when `running` is false."""
        for employee in self.employees:
            self.outbox.append(Send(employee.conn, Shutdown(), ()))
        self.running = False

    # -- tasks downwards -----------------------------------------------------------------------------------------

    def schedule_tasks(self, tasks: Iterable[Attempt]) -> None:
        """Schedule tasks between this node's employees; what nobody has credit for waits in the backlog."""
        backlog = self.backlog
        for attempt in tasks:
            backlog.add(attempt)
        while backlog and self.employees:
            chunk = [backlog.pop_deepest() for _ in range(min(len(backlog), SCHEDULE_CHUNK))]
            placed = self.assign_tasks(chunk)
            for attempt in reversed(chunk[len(placed) :]):
                backlog.add_first(attempt)
            if len(placed) < len(chunk):
                break

    def assign_tasks(self, tasks: Sequence[Attempt]) -> list[tuple[Attempt, Employee]]:
        """Go through the tasks and assign each one to an employee, as far as their credit goes."""
        pairs = self.placement.assign(tasks, self.employees)
        for attempt, employee in pairs:
            if attempt.talk:
                employee.link.out_talk += [(attempt.address, text) for text in attempt.talk]
                attempt.talk = None
            self._note_taken(attempt)
        return pairs

    def send_up_or_schedule_tasks(self, tasks: Iterable[Attempt]) -> None:
        """Schedule tasks from below here as far as there are idle workers; send the excess up as far as the boss wants
        it; the rest waits here."""
        self.schedule_tasks(tasks)
        while self.backlog and self.want_credit > 0 and self.boss is not None:
            attempt = self.backlog.pop_shallowest()
            if attempt.origin is None or not attempt.origin.below:
                self.backlog.add_first(attempt)
                break
            self.want_credit -= 1
            self.boss.place(attempt)
            self._note_taken(attempt)

    def _note_taken(self, attempt: Attempt) -> None:
        if attempt.origin is not None:
            employee = self.conn_to_employee_dict.get(attempt.origin.conn)
            if employee is not None:
                self.grantees[employee.conn] = employee

    def recall(self, employee: Employee) -> None:
        """The employee is on one long task: take what it has not started, and what the task has submitted."""
        employee.wanted += OFFERS_MIN
        self.outbox.append(Send(employee.conn, Want(OFFERS_MIN, len(employee.link.sent)), ()))

    def handle_update(self, conn: object, task_diff: int, backlog: int = 0) -> None:
        """Handle a task count update from a lower level manager or worker."""
        employee = self.conn_to_employee_dict[conn]
        employee.num_tasks += task_diff
        employee.backlog = backlog
        self.task_diff += task_diff

    def handle_waiting(self, conn: object, new_idle_count: int, read_receipt: int | None = None) -> None:
        """Record that an employee is idle with nothing to do.

        ``read_receipt`` is the last batch that it had seen when it counted; what was sent since is on its way and will
        occupy workers, so the count is reduced by that much.
        """
        employee = self.conn_to_employee_dict[conn]
        if read_receipt is not None:
            employee.link.read_receipt(read_receipt)
        on_its_way = employee.link.queued + employee.link.results_unread
        employee.num_idle_workers = max(min(new_idle_count, employee.num_workers) - on_its_way, 0)
        self.schedule_tasks([])

    def update_upstream_idle_workers(self) -> None:
        """Update the total number of idle workers upstream, if that would be news."""
        if self.boss is None:
            return
        idle = self.num_idle_workers
        news = (idle, self.boss.batch_read)
        if news[0] != self._last_idle_sent_up[0] or (idle and news != self._last_idle_sent_up):
            self._last_idle_sent_up = news
            self.outbox.append(Send(self.boss.conn, Waiting(*news), ()))

    # -- outcomes ------------------------------------------------------------------------------------------------

    def handle_result_from_below(self, result: Result, conn: object) -> None:
        """Forward the result to its destination and track the completion."""
        employee = self.conn_to_employee_dict[conn]
        attempt = employee.link.close(result.address)
        if attempt is not None:
            employee.num_tasks -= 1
            self.placement.measure(attempt.spec.function, result.duration_us)
            self.hops.pass_result(attempt, result)

    def send_result_down(self, result: Result) -> None:
        """Send the result, which came from the boss, to the employee that the task came from."""
        attempt = self.boss.close(result.address) if self.boss is not None else None
        if attempt is not None:
            self.hops.pass_result(attempt, result)

    def broadcast_cancel(self, addr: Address) -> None:
        """Cancel the task ``addr`` on every link that has an entry for it."""
        for link in self._links:
            attempt = link.sent.get(addr)
            if attempt is not None and not attempt.cancelled:
                self.hops.cancel(attempt)

    def forget(self, job: JobId) -> None:
        """The job has ended: its blobs go, here and below."""
        self.hops.blobs.pop(job, None)
        for employee in self.employees:
            if job in employee.link.known:
                employee.link.forget(job)
                self.outbox.append(Send(employee.conn, Forget(job), ()))
        if self.boss is not None:
            self.boss.forget(job)

    # -- the end of a batch of events ----------------------------------------------------------------------------

    def flush(self) -> list[Send]:
        """Pack everything that this batch of events has caused, and hand it over to be sent."""
        for employee in self.grantees.values():
            self._grant(employee)
        self.grantees.clear()
        for link in self._links:
            link.flush(self.outbox, self.hops.blobs, self.now)
        self.update_upstream_idle_workers()
        if self.boss is not None and self.task_diff and self.outbox:
            self.outbox.append(Send(self.boss.conn, Update(self.task_diff, len(self.backlog)), ()))
            self.task_diff = 0
        outbox, self.outbox = self.outbox, []
        return outbox

    def _grant(self, employee: Employee) -> None:
        """Let the employee offer more new tasks once it has used up its window and the offers here run low."""
        waiting = employee.link.waiting
        if employee.wanted > 0 or waiting > employee.offer_window // 2:
            return
        if len(self.employees) == 1 and self.boss is None:
            return
        outside = self.num_idle_workers - employee.num_idle_workers + self.want_credit
        if waiting:
            employee.offer_window = max(employee.offer_window // 2, OFFERS_MIN)
        else:
            employee.offer_window = min(max(employee.offer_window * 2, outside + OFFERS_MIN), OFFERS_MAX)
        employee.wanted = max(employee.offer_window - waiting, 1)
        self.outbox.append(Send(employee.conn, Want(employee.wanted), ()))

    def hear(self, msg: Print | Log | SystemError_) -> None:
        """What has been said below has come to the top; the server passes it on to the job's client."""
