"""Bugs in what answers failures: heartbeats, sessions that resume, incarnations, the journal, the leases of clients."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._core.attaching import drop_client
from triort._core.id_ranges import IdRanges
from triort._core.journal import Ledger
from triort._core.node_core import NodeCore
from triort._core.pulse import Pulse
from triort._core.restoring import _restore_job, restore
from triort._core.stalls import note_stall
from triort._node.sessions import Keeper, Sessions
from triort._transport.replay import Replay
from triort._transport.session import SessionConnection

# -- hearts and limits -----------------------------------------------------------------------------------------------


@mutant("an employee does not beat")
def no_heartbeat():
    return rewrite(Pulse._beat_at, ("self._beaten_at + HEARTBEAT_S if self.role.is_lower else math.inf", "math.inf"))


@mutant("a boss does not answer beats")
def no_answer():
    return rewrite(Pulse._beat_at, ("    if self._owed:\n", "    if False:\n"))


@mutant("an employee stops later than its boss gives it up")
def stops_late():
    return rewrite(
        Pulse._over_at,
        ("PATIENCE_S[self.role]", "PATIENCE_S[self.role] * (2.0 if self.role is Role.EMPLOYEE else 1.0)"),
    )


@mutant("an employee counts from the last word that it has heard")
def counts_from_words():
    return rewrite(
        Pulse.heard, ("    if not self.role.is_lower:\n        self.heard_at = now\n",
                      "    self.heard_at = now\n    if not self.role.is_lower:\n")
    )  # fmt: skip


@mutant("a silent connection is never given up")
def never_stalled():
    return rewrite(Pulse.decide, ("not self.is_broken and now >= self._stalled_at()", "False"))


@mutant("who has dialled does not dial again")
def no_redial():
    return rewrite(Pulse.broken, ("now if self.dials else math.inf", "math.inf"))


@mutant("the lease of a client never ends")
def no_lease():
    return rewrite(Pulse._over_at, ("return since +", "return math.inf if self.role is Role.SERVER else since +"))


@mutant("an employee that has its connection again gets nothing")
def never_recovered():
    return rewrite(note_stall, ("        employee.recover()\n", "        pass\n"))


@mutant("an employee without a connection has idle workers")
def stalled_is_idle():
    return rewrite(note_stall, ("        employee.stall()\n", "        employee.num_idle_workers += 1\n"))


# -- sessions, on real nodes -----------------------------------------------------------------------------------------


@mutant("what was under way is not sent again", tier=2)
def no_replay():
    return rewrite(Replay.rewind, ("    return again\n", "    return again[len(again) :]\n"))


@mutant("the last message that has come is sent again", tier=2)
def replayed_twice():
    return rewrite(Replay.rewind, ("    return again\n", "    return [*again[:1], *again]\n"))


@mutant("what was confirmed is kept", tier=2)
def kept_for_ever():
    return rewrite(Replay.note_receipt, ("while self.first < count:", "while False:"))


@mutant("what is sent while there is no connection is lost", tier=2)
def not_kept_waiting():
    return rewrite(SessionConnection.send_nowait, ("        self._waiting.append((message, list(parts)))\n", ""))


@mutant("the listener does not know which session comes back", tier=2)
def any_session():
    return rewrite(
        Sessions.resume,
        ("keeper = self.keepers.get(hello.session)", "keeper = next(iter(self.keepers.values()), None)"),
    )


@mutant("a break ends the link", tier=2)
def break_is_end():
    return rewrite(SessionConnection._lose, ("    if isinstance(exc, ProtocolError):", "    if True:"))


@mutant("nobody listens there, and the link goes on", tier=2)
def refused_ignored():
    return rewrite(
        Keeper._try_once,
        ("    except ConnectionRefusedError:\n", "    except ConnectionRefusedError:\n        return\n"),
    )


# -- incarnations ----------------------------------------------------------------------------------------------------


@mutant("a newcomer gets ids that somebody has")
def ids_twice():
    return rewrite(IdRanges.take, ("    self._spare += size\n    return self._spare - size, self._spare\n",
                                   "    return self._spare, self._spare + size\n"))  # fmt: skip


@mutant("another incarnation has the backlog of the last one")
def old_backlog():
    return rewrite(
        NodeCore.renew,
        ("    self.hops = Hops(owner)\n", '    self.hops = getattr(self, "hops", None) or Hops(owner)\n'),
    )


@mutant("another incarnation has the employees of the last one")
def old_employees():
    return rewrite(
        NodeCore.renew,
        ("    self.employees: list[Employee] = []\n", '    self.employees = getattr(self, "employees", [])\n'),
    )


# -- the server ------------------------------------------------------------------------------------------------------


@mutant("clients are told before it is on disk")
def told_early():
    return rewrite(
        Ledger.close_batch,
        ("Batch(self._number, sends, starts,", "Batch(self._number, [], starts,"),
        ("    self._size = 0\n    return []\n", "    self._size = 0\n    return sends\n"),
    )


@mutant("the jobs of an earlier server are forgotten")
def jobs_forgotten():
    return rewrite(restore, ("        if each.complete:\n", "        if False:\n"))


@mutant("a server uses the numbers of an earlier one")
def serials_again():
    return rewrite(restore, ("    books.serial = books.ledger.serial_limit = serial\n", ""))


@mutant("items that had ended run again on the next server")
def ended_again():
    return rewrite(_restore_job, ("if index not in has]", "]"))


@mutant("the jobs of a client that has gone run on")
def client_loss_ignored():
    return rewrite(drop_client, ("                drop(books, job)\n", "                pass\n"))
