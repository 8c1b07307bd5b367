"""What a manager or server does with each kind of message, in the order of the protocol.

Two tables tell what is done with what comes from which side; who may send it says `triort._model.roles`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from triort._core.demand import hand_over
from triort._core.links import Link, Send
from triort._core.unpacking import close_outcomes, unpack_losses, unpack_tasks
from triort._model.errors import ProtocolError
from triort._model.ids import NODE_ID_LIMIT
from triort._model.limits import bounded
from triort._model.messages import (
    Blobs,
    Cancel,
    Crashed,
    DrainReply,
    DrainRequest,
    Forget,
    Log,
    Lost,
    Message,
    Outcomes,
    Print,
    Returned,
    Shutdown,
    StatusReply,
    StatusRequest,
    Submit,
    SystemError_,
    Talk,
    Update,
    Waiting,
    Want,
)

if TYPE_CHECKING:
    from triort._core.node_core import NodeCore


def blobs_from_below(node: NodeCore, link: Link, msg: Blobs, payload: Sequence[bytes]) -> None:
    if not link.has_part_in(msg.job):
        raise ProtocolError(f"{link.name} sent blobs of job {msg.job}, of which it has no task")
    link.learn(msg, payload, node.hops.blobs)


def blobs_from_above(node: NodeCore, link: Link, msg: Blobs, payload: Sequence[bytes]) -> None:
    link.learn(msg, payload, node.hops.blobs)


def submit_from_below(node: NodeCore, link: Link, msg: Submit, payload: Sequence[bytes]) -> None:
    employee = node.conn_to_employee_dict[link.conn]
    if not employee.owns(msg.addresses):
        raise ProtocolError(f"{link.name} offered a task that was not submitted below it")
    employee.wanted = bounded(employee.wanted - len(msg.addresses) + len(msg.alone))
    link.touch()
    tasks = unpack_tasks(link, msg, payload, node.now)
    for parent, child in {(link.sent[attempt.parent].spec.function, attempt.spec.depth) for attempt in tasks}:
        node.placement.note_parent(parent, child - 1)
    node.send_up_or_schedule_tasks(tasks)


def submit_from_above(node: NodeCore, link: Link, msg: Submit, payload: Sequence[bytes]) -> None:
    node.upstream.heard(len(msg.addresses), 0)
    node.schedule_tasks(unpack_tasks(link, msg, payload, node.now))


def returned(node: NodeCore, link: Link, msg: Returned, payload: Sequence[bytes]) -> None:
    for address, part in zip(msg.addresses, payload, strict=True):
        attempt = link.close(address)
        if attempt is not None:
            node.hops.take_back(attempt, part)
    _note_rest(node, link)
    if node.upstream.asked:
        node.upstream.asked -= hand_over(node, node.upstream.asked)
    node.send_up_or_schedule_tasks([])


def outcomes_from_below(node: NodeCore, link: Link, msg: Outcomes, payload: Sequence[bytes]) -> None:
    for attempts, results in close_outcomes(link, msg, payload):
        node.placement.measure_all(attempts, results)
        node.hops.pass_results(attempts, results)
    _note_rest(node, link)
    if node.backlog:
        node.schedule_tasks([])


def _note_rest(node: NodeCore, link: Link) -> None:
    """A worker with nothing left is idle and does not say so: these would be as many messages as there are tasks."""
    if not link.sent and (employee := node.conn_to_employee_dict[link.conn]).kind == "worker":
        employee.rest()


def outcomes_from_above(node: NodeCore, link: Link, msg: Outcomes, payload: Sequence[bytes]) -> None:
    node.upstream.heard(0, len(msg.addresses))
    for attempts, results in close_outcomes(link, msg, payload):
        node.hops.pass_results(attempts, results)


def lost(node: NodeCore, link: Link, msg: Lost, payload: Sequence[bytes]) -> None:
    for loss in unpack_losses(msg, payload):
        attempt = link.close(loss.address)
        if attempt is not None:
            node.hops.pass_loss(attempt, loss)
    if node.backlog:
        node.schedule_tasks([])


def cancel(node: NodeCore, link: Link, msg: Cancel, payload: Sequence[bytes]) -> None:
    node.hops.cancel_received(link, msg.addresses)


def talk(node: NodeCore, link: Link, msg: Talk, payload: Sequence[bytes]) -> None:
    attempt = link.received.get(msg.address)
    if attempt is not None:
        attempt.keep_talk(payload[0])
        if attempt.target is not None:
            attempt.target.say(attempt, payload[0])


def forget(node: NodeCore, link: Link, msg: Forget, payload: Sequence[bytes]) -> None:
    for job in msg.jobs:
        node.forget(job, within_s=0.0)  # it has waited for company above


def waiting(node: NodeCore, link: Link, msg: Waiting, payload: Sequence[bytes]) -> None:
    employee = node.conn_to_employee_dict[link.conn]
    if msg.workers >= 0 and not employee.draining:
        employee.num_workers = min(msg.workers, NODE_ID_LIMIT)
    node.handle_waiting(link.conn, msg.idle, msg.receipt)


def update(node: NodeCore, link: Link, msg: Update, payload: Sequence[bytes]) -> None:
    node.handle_update(link.conn, msg.task_diff, msg.backlog, is_answer=msg.is_answer)


def want(node: NodeCore, link: Link, msg: Want, payload: Sequence[bytes]) -> None:
    node.want_credit = bounded(node.want_credit + msg.credit)
    if msg.recall:
        node.upstream.asked = msg.recall - hand_over(node, msg.recall)
        node.upstream.owes_answer = True
    if msg.credit:
        node.send_up_or_schedule_tasks([])


def talk_up(node: NodeCore, link: Link, msg: Print | Log | Crashed, payload: Sequence[bytes]) -> None:
    """What is said of a job that the employee has never had a part in, or that has ended, is dropped."""
    if msg.job not in link.known:
        return
    if node.boss is not None:
        node.outbox.append(Send(node.boss.conn, msg, payload))
    else:
        node.hear(msg, payload)


def system_error(node: NodeCore, link: Link, msg: SystemError_, payload: Sequence[bytes]) -> None:
    node.hear(msg)
    if node.boss is not None:
        node.outbox.append(Send(node.boss.conn, msg, payload))


def status_request(node: NodeCore, link: Link, msg: StatusRequest, payload: Sequence[bytes]) -> None:
    node.status_desk.ask(msg.request, link.conn)


def status_reply(node: NodeCore, link: Link, msg: StatusReply, payload: Sequence[bytes]) -> None:
    node.status_desk.answer(node.conn_to_employee_dict[link.conn], msg)


def drain_request(node: NodeCore, link: Link, msg: DrainRequest, payload: Sequence[bytes]) -> None:
    node.drains.ask(msg.request, msg.node, link.conn)


def drain_reply(node: NodeCore, link: Link, msg: DrainReply, payload: Sequence[bytes]) -> None:
    node.drains.answer(link.conn, msg)


def shutdown(node: NodeCore, link: Link, msg: Shutdown, payload: Sequence[bytes]) -> None:
    node.handle_shutdown()


Handler = Callable[["NodeCore", Link, Any, Sequence[bytes]], None]

FROM_BELOW: dict[type[Message], Handler] = {
    Blobs: blobs_from_below,
    Submit: submit_from_below,
    Returned: returned,
    Outcomes: outcomes_from_below,
    Lost: lost,
    Crashed: talk_up,
    Cancel: cancel,
    Talk: talk,
    Waiting: waiting,
    Update: update,
    Print: talk_up,
    Log: talk_up,
    StatusReply: status_reply,
    DrainReply: drain_reply,
    SystemError_: system_error,
}
FROM_ABOVE: dict[type[Message], Handler] = {
    Blobs: blobs_from_above,
    Submit: submit_from_above,
    Outcomes: outcomes_from_above,
    Lost: lost,
    Cancel: cancel,
    Talk: talk,
    Forget: forget,
    Want: want,
    StatusRequest: status_request,
    DrainRequest: drain_request,
    Shutdown: shutdown,
}
