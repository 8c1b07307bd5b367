"""Bugs in `triort._node`, for tier 2: pools of workers, managers and servers."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._node.lookout import Lookout
from triort._node.manager import Manager
from triort._node.server_base import ServerBase
from triort._node.worker_pool import WorkerPool


@mutant("a worker that has ended is not replaced", tier=2)
def not_replaced():
    return rewrite(WorkerPool._bury, ("        self._replace()", "        pass"))


@mutant("a worker that has ended keeps its tasks", tier=2)
def exit_not_told():
    return rewrite(WorkerPool._bury, ("    self.node.handle_disconnect(worker.conn, blame)\n", ""))


@mutant("a worker that takes the place of another has its id", tier=2)
def ids_used_again():
    return rewrite(WorkerPool.next_identity, ("self.node.lower_id_bound + self._serial\n",
        "self.node.lower_id_bound + self._serial - self.node.restarts\n"))  # fmt: skip


@mutant("no worker is ever poked", tier=2)
def never_poked():
    return rewrite(Lookout.look, ("worker.process.poke()", "pass"))


@mutant("the boss looks at its workers once", tier=2)
def looks_once():
    return rewrite(Lookout.look, ("if not busy and self.busy.is_set():", "if self.busy.is_set():"))


@mutant("a manager that has lost its boss runs on", tier=2)
def boss_loss_ignored():
    return rewrite(Manager.handle_disconnect, ("    elif was_boss and self.running:", "    elif False:"))


@mutant("the end of a link is not told to the books", tier=2)
def end_not_told():
    return rewrite(ServerBase.break_off, ("self.handle_disconnect(conn, reason=reason)", "pass"))


@mutant("a worker whose time of grace is over lives on", tier=2)
def grace_without_end():
    return rewrite(Lookout.look, ("                    worker.process.kill()\n", "                    pass\n"))
