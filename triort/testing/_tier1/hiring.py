"""How the managers of tier 1 get their boss, lose it, and get one again, as `triort._node.hiring` has it.

A boss that has lost a manager that it knows by its address dials it for as long as it runs, and gives it ids that
nobody has had. A manager that has joined by itself dials. Here nobody dials in vain for ever: who is not there is
waited for, as is a way that is cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from triort._core.links import Send
from triort._model.limits import SHUTDOWN_WORKERS_S
from triort._model.messages import Started
from triort.testing._events import Kind
from triort.testing._tier1.pipes import Pipe
from triort.testing._tier1.sessions import End

if TYPE_CHECKING:
    from triort.testing._tier1.bosses import Boss
    from triort.testing._tier1.cluster import Cluster

WAITS_S = (0.05, 2.0)
"""So long after the last try somebody is dialled again, once he is there."""
STARTS_S = (1e-3, 5e-3)
"""So long workers take to start."""


@attrs.define(eq=False)
class Wish:
    """A boss and a manager that are to have a link; ``joins``: the manager dials."""

    boss: str
    manager: str
    joins: bool
    tries: int = 0
    is_open: bool = True


class Hiring:
    """All wishes of one run."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._wishes: dict[tuple[str, str], Wish] = {}

    def wish(self, boss: str, name: str, *, joins: bool = False, after_s: float | None = None) -> None:
        """The two are to have a link; it is made after a while (None: drawn), or when that is possible."""
        self.drop(boss, name)
        wish = self._wishes[boss, name] = Wish(boss, name, joins)
        self._try_later(wish, after_s)

    def drop(self, boss: str, name: str) -> None:
        """They are not to have one any more."""
        wish = self._wishes.pop((boss, name), None)
        if wish is not None:
            wish.is_open = False

    def unsettled(self) -> list[str]:
        """Who will find together as soon as the way is free: both live."""
        return [f"{wish.boss} and {wish.manager}" for wish in self._wishes.values() if self._both(wish) is not None]

    def _both(self, wish: Wish) -> tuple[Boss, Boss] | None:
        bosses = self._cluster.bosses
        boss, manager = bosses.get(wish.boss), bosses.get(wish.manager)
        if boss is None or manager is None or not boss.is_in_office:
            return None
        return boss, manager

    def _try_later(self, wish: Wish, after_s: float | None = None) -> None:
        wish.tries += 1
        cluster = self._cluster
        if after_s is None:
            after_s = cluster.draws.uniform(*WAITS_S, "dial", wish.boss, wish.manager, wish.tries)
        cluster.heap.idle_at_time(cluster.now + after_s, self._try, wish)

    def _try(self, wish: Wish) -> None:
        if not wish.is_open:
            return
        dialler = self._cluster.bosses.get(wish.manager if wish.joins else wish.boss)
        if dialler is None or (not wish.joins and not dialler.is_in_office):
            self.drop(wish.boss, wish.manager)  # whoever comes in its place has wishes of his own
            return
        cluster, both = self._cluster, self._both(wish)
        path = cluster.path_of(wish.manager)
        if both is None or path.is_held or path.parted_until > cluster.now or not both[1].is_free(both[0]):
            self._try_later(wish)
            return
        boss, manager = both
        ids = boss.take_ids(wish.manager)
        self.drop(wish.boss, wish.manager)
        if ids is None:
            boss.tell(Kind.LOG, detail=f"no ids are left for {wish.manager}")
            return
        delay_s = cluster.draws.latency(path.latency, path.name, "hello", wish.tries, ids[0])
        cluster.heap.at(delay_s, self._meet, wish, boss, manager, ids, boss.incarnation)

    def _meet(self, wish: Wish, boss: Boss, manager: Boss, ids: tuple[int, int], incarnation: int) -> None:
        if boss.dead or boss.incarnation != incarnation:
            return
        if manager.dead or not manager.is_free(boss):
            boss.shares[wish.manager] = ids
            self.wish(boss.name, wish.manager, joins=wish.joins)
            return
        begin(manager, boss, ids, joins=wish.joins)


# -- an incarnation of a manager -------------------------------------------------------------------------------------


def begin(manager: Boss, boss: Boss, ids: tuple[int, int], *, joins: bool) -> None:
    """A boss has come: what was left of the last one ends, and all below starts."""
    manager.lose_boss("another boss has come")
    pipe = link(boss, manager, joins=joins)
    cluster = manager.cluster
    ready_s = max(manager.cleared_s, cluster.now)
    ready_s += cluster.draws.uniform(*STARTS_S, "start", manager.name, ids[0])
    cluster.heap.at_time(ready_s, _start, manager, pipe, ids)


def _start(manager: Boss, pipe: Pipe, ids: tuple[int, int]) -> None:
    if manager.dead or manager.above is not pipe:
        return
    manager.core.set_ids(*ids)
    manager.core.running = manager.is_in_office = True
    if manager.endpoints:
        manager.dial_all()
    else:
        manager.cluster.hire_workers(manager)
    report(manager)


def report(manager: Boss) -> None:
    """It has started: the boss is told, and work may come, at the latest with the first manager below."""
    pipe, core = manager.above, manager.core
    assert pipe is not None
    core.set_boss(pipe, pipe.far.owner.name, core.lower_id_bound, core.upper_id_bound)
    core.outbox.append(Send(pipe, Started(core.total_workers, manager.name, 0), ()))
    manager.perform()


def link(boss: Boss, manager: Boss, *, joins: bool) -> Pipe:
    """A session between the two; the boss waits until the manager has started."""
    cluster = boss.cluster
    above, below = cluster.wires.connect(cluster.path_of(manager.name), boss, manager)
    cluster.sessions.open(above, below, dialler=below if joins else above)
    manager.above = below
    manager.joins = joins
    manager.pipes.append(below)
    boss.expect(above, manager)
    return below


def clear(manager: Boss) -> None:
    """A manager has lost its boss: all below it ends, and its books are forgotten."""
    cluster = manager.cluster
    for pipe in list(manager.pipes):
        if not pipe.ended:
            cluster.wires.close(pipe)
    living = [worker for worker in manager.staff if not worker.dead]
    for worker in living:
        cluster.heap.at(SHUTDOWN_WORKERS_S, worker.die, "killed: its manager has lost its boss")
    if living:
        manager.cleared_s = cluster.now + SHUTDOWN_WORKERS_S
    manager.forget()
    manager.core.renew()


def is_broken(pipe: Pipe) -> bool:
    """Whether the owner knows that its link has trouble."""
    session = pipe.session
    return isinstance(session, End) and session.pulse.is_broken
