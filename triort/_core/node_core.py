"""What a manager or server decides: the seed's methods, as plain synchronous code over the books of the links.

An event comes in by `handle_message` (or `handle_disconnect`), with ``now`` set by the node beforehand. What is to be
sent gathers in the links and is packed into ``outbox`` by `flush`, once for each batch of events. ``conn`` is opaque.

Work goes down on credit (`placement`), and up as far as the boss has asked for it (`demand`).
"""

from __future__ import annotations

from collections.abc import Sequence

from triort._core.attempts import Attempt, Result
from triort._core.crash_budget import note_loss
from triort._core.demand import grant_offers, pull_back, recall_from_worker
from triort._core.directions import Direction as Direction
from triort._core.draining import DrainDesk
from triort._core.employee import Employee, distinct_name
from triort._core.forgetting import Forgetting
from triort._core.hops import Hops, Owner
from triort._core.id_ranges import IdRanges
from triort._core.links import Link, Loss, Send
from triort._core.node_handlers import FROM_ABOVE, FROM_BELOW
from triort._core.placement import Choose, Placement
from triort._core.statuses import StatusDesk
from triort._core.suspects import Suspects
from triort._core.upstream import Upstream
from triort._model.errors import ProtocolError
from triort._model.ids import NODE_ID_LIMIT, Address, JobId
from triort._model.limits import FORGET_S, bounded
from triort._model.marks import sometimes
from triort._model.messages import Crashed, Log, Message, Print, Shutdown, SystemError_
from triort._model.roles import Place, check_sender


class NodeCore:
    """The books of a manager or server. Subclassed by `ServerBase`, which does the I/O."""

    kind = "manager"

    def __init__(self, *, choose: Choose, owner: Owner | None = None) -> None:
        self.name, self.pid = "", 0
        self.running = False
        self.now = 0.0
        self.restarts = self.losses = self.blamed = 0
        self.placement = Placement(choose)
        self.set_ids(0, NODE_ID_LIMIT)
        self._links: list[Link] = []
        self.hops = Hops()
        self.renew(owner)

    def renew(self, owner: Owner | None = None) -> None:
        """Begin with empty books: this is another incarnation, which knows of no task and no link."""
        for link in [*self._links, *self.hops.ended]:
            link.clear()
        self.boss: Link | None = None
        self.employees: list[Employee] = []
        self.conn_to_employee_dict: dict[object, Employee] = {}
        self.hops = Hops(owner)
        self.backlog = self.hops.backlog
        self.outbox: list[Send] = []
        self.status_desk = StatusDesk(self)
        self.suspects = Suspects(self)
        self.drains = DrainDesk(self)
        self._links = []
        self.touched: list[Link] = []
        self.managers: list[Employee] = []
        self.want_credit = 0
        self.upstream = Upstream()
        self.forgetting = Forgetting()

    # -- the tree ------------------------------------------------------------------------------------------------

    def add_employee(self, employee: Employee) -> None:
        """An employee has started; it may be given tasks from now on. No other one here is called as it is."""
        employee.name = employee.link.name = distinct_name(employee.name, self.employees)
        employee.num_idle_workers = employee.num_workers = min(employee.num_workers, NODE_ID_LIMIT)
        employee.mark = self.now, 0
        self.employees.append(employee)
        self.suspects.arrived(employee)
        self.conn_to_employee_dict[employee.conn] = employee
        self._adopt(employee.link)
        if employee.kind == "manager":
            self.managers.append(employee)
        for each in self.employees:
            each.link.touch()
        self.schedule_tasks([])

    def set_boss(self, conn: object, name: str, lower_id: int, upper_id: int) -> None:
        """The boss has connected and given this node its share of the ids."""
        self.boss = Link(conn, name, below=False)
        self.upstream = Upstream()
        if (lower_id, upper_id) != (self.lower_id_bound, self.upper_id_bound):
            self.set_ids(lower_id, upper_id)
        self._adopt(self.boss)

    def set_ids(self, lower_id: int, upper_id: int) -> None:
        """These ids are this node's, ``upper_id`` exclusive; the first is its own."""
        self.lower_id_bound = lower_id
        self.upper_id_bound = upper_id
        self.ids = IdRanges(lower_id, upper_id)

    def _adopt(self, link: Link) -> None:
        self._links.append(link)
        link.touched = self.touched

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
            link = (employee := self.conn_to_employee_dict[conn]).link
            check_sender(Place.WORKER if employee.kind == "worker" else Place.MANAGER, link.name, msg)
            handler = FROM_BELOW[type(msg)]
        else:
            if self.boss is None or direction is not Direction.ABOVE:
                raise ProtocolError(f"{type(msg).__name__} is not for this node")
            link = self.boss
            check_sender(Place.BOSS, link.name, msg)
            handler = FROM_ABOVE[type(msg)]
        handler(self, link, msg, payload)

    def handle_disconnect(self, conn: object, blame: Loss | None = None, reason: str = "") -> None:
        """Remove ``conn``: all sent over it is lost, all received is cancelled. ``reason``: why, if not in order."""
        employee = self.conn_to_employee_dict.pop(conn, None)
        if employee is not None:
            self.employees.remove(employee)
            if employee.kind == "manager":
                self.managers.remove(employee)
            link = employee.link
            note_loss(self, employee, blame)
        elif self.boss is not None and self.boss.conn == conn:
            link, self.boss = self.boss, None
            self.want_credit = 0
            self.upstream = Upstream()
        else:
            return
        self._links.remove(link)
        self.status_desk.drop(conn)
        self.drains.drop(conn)
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

    def schedule_tasks(self, tasks: Sequence[Attempt]) -> None:
        """Schedule tasks between this node's employees; what nobody has credit for waits in the backlog."""
        backlog = self.backlog
        backlog.add_all(tasks)
        if self.drains.is_leaving:
            self.drains.hand_back()
        if not backlog:
            return
        hungry = [employee for employee in self.employees if employee.num_idle_workers > 0]
        if hungry:
            idle = sum(employee.num_idle_workers for employee in hungry)
            self.assign_tasks([a for _ in range(min(idle, len(backlog))) if (a := backlog.pop_next()) is not None])
        if backlog:
            self.placement.fill(backlog, hungry, self.employees, self.now, self.managers)

    def assign_tasks(self, tasks: Sequence[Attempt]) -> list[tuple[Attempt, Employee]]:
        """Go through the tasks and assign each one to an employee: as many as there are idle workers."""
        return self.placement.assign(tasks, self.employees)

    def send_up_or_schedule_tasks(self, tasks: Sequence[Attempt]) -> None:
        """Schedule tasks from below here as far as workers are idle; send the rest up as far as the boss wants it."""
        self.schedule_tasks(tasks)
        while self.want_credit > 0 and self.boss is not None:
            attempt = self.backlog.pop_shallowest_new()
            if attempt is None:
                break
            self.want_credit -= 1
            self.boss.place(attempt)

    def recall(self, employee: Employee) -> None:
        """The employee is on one long task: take what it has not started, and what the task has submitted."""
        recall_from_worker(self, employee)

    def handle_update(self, conn: object, task_diff: int, backlog: int = 0, *, is_answer: bool = False) -> None:
        """Handle a task count update from a lower level manager or worker, perhaps in answer to a recall."""
        employee = self.conn_to_employee_dict[conn]
        employee.num_own_tasks = bounded(employee.num_own_tasks + task_diff)
        if is_answer:
            employee.recalled = 0
        employee.backlog = max(bounded(backlog) - employee.recalled, 0)

    def handle_waiting(self, conn: object, new_idle_count: int, read_receipt: int | None = None) -> None:
        """Record that an employee is idle with nothing to do.

        ``read_receipt`` is the last batch that it had seen when it counted; what was sent since is on its way and will
        occupy workers, so the count is reduced by that much.
        """
        employee = self.conn_to_employee_dict[conn]
        if read_receipt is not None:
            employee.link.read_receipt(read_receipt, is_idle=new_idle_count > 0)
        on_its_way = employee.link.queued + employee.link.results_unread
        if on_its_way and new_idle_count:
            sometimes("an idle count crosses what will make it wrong")
        employee.waits = new_idle_count > on_its_way
        employee.set_idle(max(min(new_idle_count, employee.num_workers) - on_its_way, 0))
        if employee.num_idle_workers:
            employee.stuck_until = 0.0
        self.schedule_tasks([])

    def update_upstream_idle_workers(self) -> None:
        """Update the total number of idle workers upstream, if that would be news."""
        if self.boss is not None:
            self.upstream.tell_idle(self.boss, self.num_idle_workers, self.total_workers, self.outbox)

    # -- outcomes ------------------------------------------------------------------------------------------------

    def handle_result_from_below(self, result: Result, conn: object) -> None:
        """Forward the result to its destination and track the completion."""
        employee = self.conn_to_employee_dict[conn]
        attempt = employee.link.close(result.address)
        if attempt is not None:
            self.placement.measure_all([attempt], [result])
            self.hops.pass_result(attempt, result)

    def send_result_down(self, result: Result) -> None:
        """Send the result, which came from the boss, to the employee that the task came from."""
        attempt = self.boss.close(result.address) if self.boss is not None else None
        if attempt is not None:
            self.hops.pass_result(attempt, result)

    def broadcast_cancel(self, addr: Address) -> None:
        """Cancel the task ``addr`` on every link that has an entry for it."""
        for link in self._links:
            for attempt in (link.received.get(addr), link.sent.get(addr)):
                if attempt is not None:
                    self.hops.cancel(attempt)

    def forget(self, job: JobId, within_s: float = FORGET_S) -> None:
        """The job has ended: its blobs go, here at once and below soon."""
        self.forgetting.note(job, self.hops.blobs, self._links, self.now + within_s)

    # -- the end of a batch of events ----------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When there is something to do without an event, on the node's clock."""
        return min(self.suspects.next_deadline(), self.forgetting.due, self.status_desk.due)

    def flush(self) -> list[Send]:
        """Pack everything that this batch of events has caused, and hand it over to be sent."""
        self.forgetting.tell(self._links, self.now)
        self.status_desk.expire()
        self.suspects.place()
        self.drains.retire(self.placement.take_spent())
        idle, workers = self.drains.capacity()
        boss = self.boss
        grant_offers(self, idle)
        pull_back(self, 0 if self.backlog else idle)
        if boss is not None and not workers:
            self.hops.give_back(boss, len(self.backlog))
        for link in self.touched:
            if not link.ended:
                self.hops.flush(link, self.outbox, self.now)
        self.touched.clear()
        if boss is not None:
            self.upstream.tell_idle(boss, idle, workers, self.outbox)
            self.upstream.tell_tasks(self, boss, all_idle=idle == workers)
        if self.drains.is_busy:
            self.drains.settle()
        outbox, self.outbox = self.outbox, []
        return outbox

    def hear(self, msg: Print | Log | SystemError_ | Crashed, payload: Sequence[bytes] = ()) -> None:
        """What has been said below has come to the top; the server passes it on to the job's client, and counts."""
