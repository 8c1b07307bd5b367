"""A manager that has lost its boss comes again as another one: in tier 1, all of it and all below it made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triort._model.limits import SHUTDOWN_WORKERS_S
from triort.testing._tier1.wires import Pipe

if TYPE_CHECKING:
    from triort.testing._tier1.bosses import Boss
    from triort.testing._tier1.cluster import Cluster

REJOIN_S = 1.5 * SHUTDOWN_WORKERS_S
"""When it is in the books again; what was below it has ended by then."""


def rejoin_later(cluster: Cluster, manager: Boss, above: Pipe) -> None:
    """Have it come again; ``above`` is its boss's end of the link that has ended."""
    cluster.heap.at(REJOIN_S, _rejoin, cluster, manager, above)


def _rejoin(cluster: Cluster, manager: Boss, above: Pipe) -> None:
    boss = cluster.bosses.get(above.owner.name)
    if boss is not above.owner or boss is None:
        return  # it is gone, too
    if above.ended:
        cluster.join_manager(boss, cluster.plan.tree[manager.level :], manager.name.rpartition(".")[2])
    else:  # it does not know yet that the link has ended
        cluster.heap.look_after(REJOIN_S, _rejoin, cluster, manager, above)
