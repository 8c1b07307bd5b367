"""The workers of a node of tier 1: what it sees of them, and what becomes of those that end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from triort._core.demand import idle_elsewhere
from triort._core.employee import Employee
from triort._core.links import Loss
from triort._core.watch import Action, Watch
from triort._model.ids import Address
from triort._model.limits import POKE_S, RESTART_DELAY_S
from triort._model.marks import buggify
from triort.testing._events import Kind
from triort.testing._tier1.pipes import Pipe
from triort.testing._tier1.workers import Worker

if TYPE_CHECKING:
    from triort.testing._tier1.bosses import Boss

SPAWN_S = 2e-3


@attrs.define(eq=False)
class PoolWorker:
    """A worker as its boss holds it."""

    worker: Worker
    pipe: Pipe
    watch: Watch
    employee: Employee


def exited(boss: Boss, pipe: Pipe, blame: Loss | None) -> None:
    """The process of a worker has ended."""
    if pipe in boss.unstarted:  # it ended just after it had started, and its start is still on its way
        boss.early_exits[pipe] = blame
        return
    if not pipe.ended:
        pipe.ended = True
        boss.tell(Kind.CLOSE, peer=pipe.far.owner.name, detail="its process has ended")
    is_extra = boss.pool.pop(pipe).worker.is_extra
    boss.pipes.remove(pipe)
    boss.disconnect(pipe, blame)
    if boss.core.running and not is_extra:
        replace(boss)


def replace(boss: Boss) -> None:
    """Another worker takes its place, after a while if many have been lost."""
    boss.core.restarts += 1
    delay_s = boss.restarts.note(boss.clock.now)
    news = boss.restarts.news(boss.clock.now)
    if news:
        boss.tell(Kind.LOG, detail=news)
        boss.core.handle_system_error(news)
    if buggify("slow replacements"):
        delay_s = RESTART_DELAY_S
    boss.cluster.heap.at(delay_s + spawn_s(boss, "spawn"), boss.cluster.add_worker, boss, boss.incarnation)


def spawn_s(boss: Boss, *what: str | int) -> float:
    """How long it takes to start a worker."""
    boss.num_spawned += 1
    return boss.cluster.draws.uniform(SPAWN_S / 4, SPAWN_S, *what, boss.name, boss.num_spawned)


def _look(boss: Boss) -> None:
    boss.is_looking = False
    if boss.dead:
        return
    core, is_busy = boss.core, False
    core.now = now = boss.clock.now
    for pipe, each in list(boss.pool.items()):
        glance = each.worker.glance()
        employee, watch = each.employee, each.watch
        watch.mail_sent = pipe.messages
        is_busy = is_busy or bool(employee.link.sent) or glance.mail_read < watch.mail_sent
        running = employee.link.sent.get(Address(glance.root)) if glance.on_cpu else None
        employee.done = each.worker.num_done
        employee.running = "" if running is None else running.spec.function_name
        for action in watch.decide(now, each.worker.clock.now, glance, idle_elsewhere(core, employee)):
            match action:
                case Action.POKE:
                    each.worker.poke()
                case Action.RECALL:
                    core.recall(employee)
                case Action.KILL:
                    each.worker.die("killed: it ignores a cancel")
    if is_busy:
        boss.perform()
    else:
        boss.cluster.wires.send(core.flush())


def look_soon(boss: Boss) -> None:
    """Look at the pages of the workers, and again while they are busy."""
    boss.is_looking = True
    boss.cluster.heap.look_after(POKE_S / boss.clock.rate, _look, boss)
