"""Bugs in `triort._node`, for tier 2: futures, and how a worker runs tasks."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._node.execution import Execution
from triort._node.futures import Future
from triort._node.sync_tasks import SyncTasks
from triort._node.waits import Waits
from triort._node.worker import Worker


@mutant("a sync task that waits is never woken", tier=2)
def sync_never_woken():
    return rewrite(Future._wake, ("        self._worker.sync_tasks.wake(self._owner.handle)", "        pass"))


@mutant("a future that is settled does not wake who awaits it", tier=2)
def async_never_woken():
    return rewrite(Future._wake, ("        self._event.set()\n", ""))


@mutant("a child that fails does not cancel its siblings", tier=2)
def futures_let_siblings_run():
    return rewrite(Future._note_failure, ("            self._cancel_open()", "            pass"))


@mutant("a value that comes twice is counted twice", tier=2)
def settled_twice():
    return rewrite(Future._settle, ("        self._arrived.append(index)", "        self._arrived += [index, index]"))


@mutant("an async task is not stopped by its cancel", tier=2)
def async_not_stopped():
    return rewrite(Execution.stop, ("        handle.scope.cancel()\n", ""))


@mutant("a sync task that waits is not stopped by its cancel", tier=2)
def sync_not_stopped():
    return rewrite(Execution.stop, ("self.sync_tasks.wake(handle, interrupt=True)", "pass"))


@mutant("an async task that ignores its cancel is left alone", tier=2)
def stuck_lives_on():
    return rewrite(Execution._watch_stop, ("if held_s >= GRACE_S and", "if False and"))


@mutant("an async task that is out of time is reported as cancelled", tier=2)
def async_timeout_as_cancel():
    return rewrite(
        Execution._run_async, ("kind, data = self._timeout(running)", "kind, data = OutcomeKind.CANCELLED, b''")
    )


@mutant("the slot of a task is taken again with the first of its waits that ends", tier=2)
def slot_taken_early():
    return rewrite(Waits.end, ("if running.waits == 0:", "if True:"))


@mutant("a sync task that was woken goes on twice", tier=2)
def woken_twice():
    return rewrite(SyncTasks.wake, ("    if not wait.is_woken:", "    if True:"))


@mutant("a poke does not interrupt", tier=2)
def poke_ignored():
    return rewrite(Worker.answer_poke, ("return is_over", "return False"))


@mutant("a worker does not wake for the deadlines of its children", tier=2)
def worker_oversleeps():
    return rewrite(Worker._sleep_until_mail, ('float("inf") if deadline is None else deadline', 'float("inf")'))


@mutant("a task that changes the books does not tell the boss", tier=2)
def notice_lost():
    return rewrite(Worker.notice, ("    self.flush(keep=1)\n", ""))


@mutant("what a worker still had to do is forgotten by a poke", tier=2)
def poke_forgets():
    return rewrite(
        Worker._do_business, ("    self.flush(keep=0)\n", "    self.flush(keep=0)\n    self.core.events.clear()\n")
    )
