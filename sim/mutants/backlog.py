"""Bugs in `triort._core.backlog`: the order of what waits, and where it may go."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._core.backlog import Backlog

RANK = "(spec.options.priority, spec.depth, source)"


@mutant("priorities are ignored")
def no_priority():
    return rewrite(Backlog._bucket, (RANK, "(0, spec.depth, source)"))


@mutant("the shallowest task starts first")
def shallowest_first():
    return rewrite(Backlog._bucket, (RANK, "(spec.options.priority, -spec.depth, source)"))


@mutant("depth comes before priority")
def depth_before_priority():
    return rewrite(Backlog._bucket, (RANK, "(spec.depth, spec.options.priority, source)"))


@mutant("a task that leaves the backlog still counts as waiting for its link")
def waiting_leaks():
    return rewrite(Backlog._leave, ("        origin.waiting -= 1\n", ""))


@mutant("a task that the boss has given goes back to it as a new one")
def given_goes_up():
    return rewrite(
        Backlog.pop_shallowest_new,
        ("1, 2) if self._counts[1] or self._counts[2] else None", "0, 2)"),
    )  # fmt: skip


@mutant("a removed task is taken all the same")
def removed_and_taken():
    return rewrite(Backlog._find, ("while bucket and not bucket[0].queued:", "while bucket and False:"))
