"""Bugs in `triort._core.hops`: how tasks, outcomes, cancels and losses pass through a node."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._core.hops import Hops


@mutant("an ended task stays in the table of the link that it came over")
def leak_on_done():
    return rewrite(Hops.pass_result, ("        del origin.received[attempt.address]\n", ""))


@mutant("a loss is reported before its descendants have answered")
def early_loss():
    return rewrite(Hops.end_link, ("for address in losses if address not in unanswered]", "for address in losses]"))


@mutant("a loss that is the answer to another is not passed on")
def broken_chain_of_losses():
    return rewrite(Hops._answered, ("link, parent = attempt.origin, attempt.parent", "return"))


@mutant("the end of a link does not cancel what came over it")
def orphans_run_on():
    return rewrite(Hops.end_link, ("            self.cancel(attempt)\n", ""))


@mutant("the end of a link cancels only what waits here")
def placed_orphans_run_on():
    return rewrite(
        Hops.end_link, ("if attempt.target is not None:", "if attempt.target is not None and link.below is False:")
    )


@mutant("a crash is blamed on every task of the worker")
def blame_for_all():
    return rewrite(
        Hops.end_link,
        ('(attempt, Loss(attempt.address, False, b""))', '(attempt, Loss(attempt.address, blame is not None, b""))'),
    )


@mutant("a crash is blamed on nobody")
def blame_for_none():
    return rewrite(Hops.end_link, ("if blame is not None and blame.address in link.sent:", "if False:"))


@mutant("a task that comes back unstarted forgets that it was cancelled")
def back_from_the_dead():
    return rewrite(Hops.take_back, ("    if attempt.cancelled:", "    if False:"))


@mutant("a cancel is not passed on to whom the task was given")
def cancel_stops_here():
    return rewrite(Hops.cancel, ("attempt.target.cancel(attempt)", "pass"))


@mutant("a cancel is answered here while the task runs on elsewhere")
def cancel_frees_early():
    return rewrite(
        Hops.cancel,
        (
            "attempt.target.cancel(attempt)\n",
            "attempt.target.cancel(attempt)\n"
            "            attempt.target.close(attempt.address)\n"
            "            self.pass_result(attempt, cancelled(attempt))\n",
        ),
    )


@mutant("a cancelled task stays in the backlog")
def cancelled_waits_on():
    return rewrite(Hops.cancel, ("        self.backlog.remove(attempt)\n", ""))


@mutant("a task handed back to the boss stays in the books")
def handed_back_and_kept():
    return rewrite(Hops.give_back, ("        del boss.received[attempt.address]\n", ""))
