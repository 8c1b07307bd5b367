"""Who waits for a moment of rest: until no task is ready, or until nothing at all is to come."""

from __future__ import annotations

import sys
from collections.abc import Sized
from typing import Any

import attrs
import trio
from outcome import Value
from trio.lowlevel import Task


@attrs.define(eq=False)
class Waiters:
    """The tasks that wait for rest. Which one is cancelled first makes no difference."""

    idle: dict[Task, None] = attrs.Factory(dict)
    quiet: dict[Task, tuple[float, float]] = attrs.Factory(dict)
    """Until when, and the deadline of the task's own scopes."""

    async def wait_idle(self) -> None:
        """Wait to be woken by `wake_idle`."""
        await _wait(self.idle, None)

    async def wait_quiet(self, until_s: float) -> bool:
        """Wait to be woken by `wake_resting` (True) or `wake_late` (False)."""
        return bool(await _wait(self.quiet, (until_s, trio.current_effective_deadline())))

    def wake_idle(self) -> None:
        """No task is ready, and nothing is due."""
        _wake(self.idle, list(self.idle), None)

    def wake_resting(self, deadline: float) -> bool:
        """Nothing is to come but the deadlines from this one on: wake those that have one before themselves."""
        resting = [task for task, (_, own) in self.quiet.items() if deadline >= own]
        _wake(self.quiet, resting, True)
        return bool(resting)

    def wake_late(self, step: float) -> float | None:
        """Wake those whose time is up before the next step; tells that time, if there are any."""
        first = min(until for until, _ in self.quiet.values())
        if first >= step:
            return None
        _wake(self.quiet, [task for task, (until, _) in self.quiet.items() if until <= first], False)
        return first


async def _wait(waiting: dict[Task, Any], value: object) -> object:
    task = trio.lowlevel.current_task()
    waiting[task] = value

    def abort(_: object) -> trio.lowlevel.Abort:
        del waiting[task]
        return trio.lowlevel.Abort.SUCCEEDED

    return await trio.lowlevel.wait_task_rescheduled(abort)


def _wake(waiting: dict[Task, Any], tasks: list[Task], value: object) -> None:
    for task in tasks:
        del waiting[task]
        trio.lowlevel.reschedule(task, Value(value))


def waiting_in_trio() -> tuple[Sized, Sized]:
    """What trio itself has to do before time may go on, as live collections; empty where it has not the names known.

    The tasks in trio's own `wait_all_tasks_blocked`; and the calls that ``run_sync_soon`` has left, by which generators
    are closed: trio makes them when it next looks at its wakeup file descriptor.
    """
    context = getattr(sys.modules.get("trio._core._run"), "GLOBAL_RUN_CONTEXT", None)
    runner = getattr(context, "runner", None)
    return getattr(runner, "waiting_for_idle", ()), getattr(getattr(runner, "entry_queue", None), "queue", ())
