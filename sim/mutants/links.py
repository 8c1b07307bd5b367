"""Bugs in `triort._core.links`: the books of one link, and what is packed into messages."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._core.links import Link
from triort._core.node_core import NodeCore
from triort._core.packing import _pack_batch, _pack_blobs, _pack_results, pack
from triort._core.unpacking import _enter_parents, unpack_tasks


@mutant("all links of a node share one table of what was sent")
def one_table_for_all():
    return rewrite(
        NodeCore._adopt, ("link.touched = self.touched", "link.touched = self.touched; link.sent = self._links[0].sent")
    )


@mutant("a link has one table, by address only, for both directions")
def one_table_for_both():
    return rewrite(
        NodeCore._adopt, ("link.touched = self.touched", "link.touched = self.touched; link.sent = link.received")
    )


@mutant("what was said to a task is not said again when it is placed again")
def talk_lost():
    return rewrite(Link.place, ("    if attempt.talk:", "    if False:"))


@mutant("the mark of a cancel stays when it is answered")
def cancel_mark_stays():
    return rewrite(
        Link._note_closed, ("self.cancelling.difference_update([attempt.address for attempt in attempts])", "pass")
    )


@mutant("an ended task does not give its credit back")
def credit_leaks():
    return rewrite(Link._note_closed, ("            self.queued_us -= cost_us\n", ""))


@mutant("a receipt counts for batches that were sent after it")
def receipt_for_all():
    return rewrite(Link.read_receipt, ("for number in self.unread if number <= receipt]", "for number in self.unread]"))


@mutant("a batch of tasks is read and not receipted")
def lost_receipt():
    return rewrite(unpack_tasks, ("    link.batch_read = message.batch\n", ""))


@mutant("blobs go to the first link only")
def blobs_sent_once():
    return rewrite(
        _pack_blobs,
        ("known = link.known.setdefault(spec.job, set())",
         "known = link.known.setdefault(spec.job, set(sorted(blobs.get(spec.job, ()))[1:]))"),
    )  # fmt: skip


@mutant("a deadline is passed on as a time and not as time left")
def absolute_deadline():
    return rewrite(_pack_batch, ("max(a.deadline - now, 0.0)", "a.deadline"))


@mutant("a deadline is not passed on")
def no_deadline():
    return rewrite(_pack_batch, ("if a.deadline is not None}", "if False}"))


@mutant("the owner of a task does not keep its payload")
def payload_forgotten():
    return rewrite(_pack_batch, ("if attempt.origin is not None:", "if True:"))


@mutant("what goes up names an ancestor that the boss does not know")
def untranslated_parent():
    return rewrite(_enter_parents, ("address if is_given else parent.above", "address"))


@mutant("a link knows the blobs of jobs that have ended")
def known_for_ever():
    return rewrite(Link.forget, ("self.known.pop(job, None)", "self.known.get(job)"))


@mutant("a message to a task overtakes the task")
def talk_first():
    ahead = (
        "    link.is_touched = False\n"
        "    for address, payload in link.out_talk:\n"
        "        outbox.append(Send(link.conn, Talk(address, len(payload)), [payload]))\n"
        "    link.out_talk = []\n"
    )
    return rewrite(pack, ("    link.is_touched = False\n", ahead))


@mutant("of the cancels in one message only the first is sent")
def one_cancel_of_many():
    return rewrite(pack, ("Cancel(addresses)", "Cancel(addresses[:1])"))


@mutant("outcomes are sent in the order of their addresses, each under the next one's kind")
def columns_slip():
    return rewrite(_pack_results, ("[result.kind for result in results]", "[result.kind for result in results[::-1]]"))
