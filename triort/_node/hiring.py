"""How a boss gets its managers: it dials those at its endpoints, again when one of them is lost, and others join.

Whichever side dials, the rest is the same: the manager hears which ids it has, starts what is below it, says STARTED,
and is in the books from then on. During the first start nothing is repaired: what fails there fails the node. After
that nothing that happens to a manager ends its boss: it dials again for as long as it runs, and gives ids that nobody
has had.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import trio

from triort._core.employee import Employee
from triort._core.id_ranges import Range
from triort._core.links import Link
from triort._core.node_core import Direction
from triort._core.pulse import Role
from triort._core.stalls import note_stall
from triort._model.errors import AccessError, ProtocolError, StartupError
from triort._model.limits import DIAL_S, DIAL_WAIT_FIRST_S, DIAL_WAIT_GROWTH, DIAL_WAIT_MAX_S, RETRY_WAIT_MAX_S
from triort._model.messages import Hello, Message, Received, Shutdown, Started
from triort._node.handshake import Refused, Stranger, greet, make_hello, receive_started, refuse, welcome
from triort._node.sessions import dialled, is_healthy, keep, new_number
from triort._transport.connection import Connection, RawConnection

if TYPE_CHECKING:
    from triort._node.machine import Retry
    from triort._node.server_base import ServerBase

Endpoint = tuple[str, int]


class _NotThere(StartupError):
    """Nobody listens there now."""


async def connect(node: ServerBase, endpoint: Endpoint, lower: int, upper: int, on_retry: Retry | None = None) -> None:
    """Dial a manager and wait until it has started, that is, until all below it have; raises `StartupError`.

    One that has another boss is dialled again, `DIAL_S` at most: it may not yet have noticed that this one has gone.
    """
    ip, port = endpoint
    on_retry = on_retry or partial(_note_retry, node, f"{ip}:{port}")
    wait_s, since = DIAL_WAIT_FIRST_S, trio.current_time()
    while True:
        try:
            await _connect_once(node, endpoint, lower, upper, on_retry)
            return
        except Refused as exc:
            if not exc.again or trio.current_time() > since + DIAL_S:
                raise
        await node.machine.wait_to_dial(ip, port, wait_s)
        wait_s = min(wait_s * DIAL_WAIT_GROWTH, DIAL_WAIT_MAX_S)


async def _connect_once(node: ServerBase, endpoint: Endpoint, lower: int, upper: int, on_retry: Retry) -> None:
    ip, port = endpoint
    machine = node.machine
    raw = await machine.dial(ip, port, timeout_s=DIAL_S, on_retry=on_retry)
    hello = make_hello("boss", node.name, lower_id=lower, upper_id=upper, session=new_number(machine))
    conn: Connection = raw
    try:
        answer, mail = await greet(raw, hello)
        raw.name = answer.name
        dial = partial(machine.dial_once, ip, port)
        conn = dialled(machine, Role.BOSS, raw, hello, mail, dial, machine.now(), partial(_note_break, node))
        node.start_soon(keep, conn)
        started, rest = await receive_started(conn, [], f"manager {answer.name} at {ip}:{port}")
    except BaseException:
        conn.close()
        raise
    employee = _manager(conn, answer.name, lower, upper, started)
    employee.endpoint = endpoint
    _begin(node, employee, conn, rest)


async def connect_again(node: ServerBase, endpoint: Endpoint, ids: Range | None = None) -> None:
    """Dial a manager that was lost until it has started anew, with growing waits; then returns, or with no ids left.

    Ids that were offered to somebody who did not take them are offered again; all others are gone.
    """
    ip, port = endpoint
    wait_s = DIAL_WAIT_FIRST_S
    while True:
        await node.machine.wait_to_dial(ip, port, wait_s)
        wait_s = min(wait_s * DIAL_WAIT_GROWTH, RETRY_WAIT_MAX_S)
        ids = ids or node.ids.take()
        if ids is None:
            node.logger.error("%s: no ids are left, so %s:%d is not dialled any more", node.name, ip, port)
            return
        try:
            await connect(node, endpoint, *ids, on_retry=partial(_give_up, f"{ip}:{port}"))
            return
        except (_NotThere, Refused) as exc:
            node.logger.info("%s: %s", node.name, exc)
        except (Stranger, AccessError) as exc:
            node.logger.warning("%s: %s", node.name, exc)
        except StartupError as exc:
            node.logger.warning("%s: %s", node.name, exc)
            ids = None


def replace_lost(node: ServerBase, employee: Employee) -> None:
    """A manager is lost: one that was dialled is dialled again, others come by themselves."""
    if not node.employees:
        node.logger.warning("%s has lost all of its managers; what waits here waits for one to come", node.name)
    if employee.endpoint is not None and not employee.draining and not node.drains.is_leaving:
        node.start_soon(connect_again, node, employee.endpoint)


def _note_retry(node: ServerBase, address: str, attempt: int, reason: str) -> None:
    node.logger.info("%s: attempt %d to connect to %s: %s", node.name, attempt, address, reason)


def _give_up(address: str, attempt: int, reason: str) -> NoReturn:
    raise _NotThere(f"cannot connect to {address}: {reason}")


def let_join(node: ServerBase, conn: RawConnection, hello: Hello) -> None:
    """A manager has come by itself: it gets ids and is in the books once it has started. Raises `ProtocolError`,
    having sent a REFUSE, when it cannot be taken."""
    if not node.running:
        refuse(conn, f"{node.name} has no boss at present, and so no ids to give", again=True)
    if node.drains.is_leaving:
        refuse(conn, f"{node.name} is about to leave")
    ids = node.ids.take()
    if ids is None:
        refuse(conn, f"{node.name} has no ids left for another manager")
    node.start_soon(_wait_started, node, conn, hello, *ids)


async def _wait_started(node: ServerBase, raw: RawConnection, hello: Hello, lower: int, upper: int) -> None:
    conn: Connection = raw
    try:
        welcome(raw, node.name, lower_id=lower, upper_id=upper)
        raw.name = hello.name
        conn = node.sessions.accepted(node.machine, Role.BOSS, raw, hello, partial(_note_break, node))
        node.start_soon(keep, conn)
        started, rest = await receive_started(conn, [], f"manager {hello.name!a}, which wants to join,")
    except (StartupError, ProtocolError) as exc:
        node.logger.warning("%s: %s", node.name, exc)
        conn.close()
        return
    except BaseException:
        conn.close()
        raise
    _begin(node, _manager(conn, hello.name, lower, upper, started), conn, rest)


def _begin(node: ServerBase, employee: Employee, conn: Connection, mail: list[Received]) -> None:
    node.sel.put_nowait(node.add_employee, employee)
    if not is_healthy(conn):
        _note_break(node, conn, True)
    node.serve(conn, Direction.BELOW, mail)


def _note_break(node: ServerBase, conn: Connection, is_broken: bool) -> None:
    """A link to a manager has lost its connection, or has one again."""
    node.sel.put_nowait(note_stall, node, conn, is_broken)


def _manager(conn: Connection, name: str, lower: int, upper: int, started: Started) -> Employee:
    return Employee(Link(conn, name), name, "manager", lower, upper, started.pid, started.num_workers)


def dismiss(node: ServerBase) -> None:
    """All below ends with the node; or with this incarnation only: then managers see their boss leave, and workers that
    others have started are killed, so that these start new ones."""
    node.running = False
    if node.rendezvous is not None and not node.ends_all:
        node.rendezvous.turn_out()
    for conn, direction in node.conns.items():
        employee = node.conn_to_employee_dict.get(conn)
        is_worker = employee is not None and employee.kind == "worker"
        if direction is Direction.BELOW and (node.ends_all or is_worker):
            send_last(conn, Shutdown())
        conn.close()


def let_go(node: ServerBase) -> None:
    """Nothing of the node runs any more: close links that came while it was ending, and keep nothing of its tasks,
    which know their links, in a circle that the garbage collector does not see."""
    for conn in node.conns:
        conn.close()
    for link in node._links:
        link.clear()
    if node.machine.store is not None:
        node.machine.store.clear()


def send_last(conn: Connection, message: Message) -> None:
    """Send outside the books, as far as the other side takes it at once; for the end of a link."""
    with suppress(trio.ClosedResourceError):
        conn.send_nowait(message)
        conn.flush_nowait()
