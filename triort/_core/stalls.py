"""An employee whose link has no connection for a while: it keeps all that it has, and gets nothing new."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triort._core.node_core import NodeCore


def note_stall(node: NodeCore, conn: object, is_stalled: bool) -> None:
    """The link to an employee has lost its connection, or has one again. Meanwhile it has no idle workers, no credit
    and no tasks to ask back, and nobody waits for what it says of its state."""
    employee = node.conn_to_employee_dict.get(conn)
    if employee is None:
        return
    if is_stalled:
        employee.stall()
        node.status_desk.do_without(conn)
    else:
        employee.recover()
        node.schedule_tasks([])
