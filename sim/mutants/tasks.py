"""Bugs in `triort._node`, for tier 2: futures, and how a worker runs tasks."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._node.execution import Execution
from triort._node.futures import Future
from triort._node.worker import Worker


@mutant("a sync task that waits is never woken", tier=2)
def sync_never_woken():
    return rewrite(Future._wake, ("        self._worker.sync_tasks.wake(self._owner.handle)", "        pass"))


@mutant("a future that is settled does not wake who awaits it", tier=2)
def async_never_woken():
    return rewrite(Future._wake, ("        self._event.set()\n", ""))


@mutant("a value that comes twice is counted twice", tier=2)
def settled_twice():
    return rewrite(Future._settle, ("        self._arrived.append(index)", "        self._arrived += [index, index]"))


@mutant("an async task is not stopped by its cancel", tier=2)
def async_not_stopped():
    return rewrite(Execution.stop, ("        handle.scope.cancel()\n", ""))


@mutant("a poke does not interrupt", tier=2)
def poke_ignored():
    return rewrite(Worker.answer_poke, ("return is_over", "return False"))


@mutant("what a worker still had to do is forgotten by a poke", tier=2)
def poke_forgets():
    return rewrite(
        Worker._do_business, ("    self.flush(keep=0)\n", "    self.flush(keep=0)\n    self.core.events.clear()\n")
    )
