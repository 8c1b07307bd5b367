"""When a link between machines is silent for too long, and what its two ends do about it, each by its own clock.

A connection may break, or go silent without a break; the link goes on over the next one, until it is over by time. The
two ends of a link are not alike. The *lower* one (a boss's employee, a server's client) asks: it sends a numbered Beat
every `HEARTBEAT_S`. The *upper* one answers each at once, and asks nothing.

    employee   ── Beat 7 ──►   boss        the boss has heard its employee
               ◄── echo 7 ──               the employee knows that its Beat 7 has been heard

**The fence.** A boss that gives a link up submits what it has sent over it elsewhere, so by then its employee must have
stopped. When the boss gives up it has heard nothing for `FENCE_S`; its employee stops after `STOP_S`, and is done with
that within `GRACE_S`; what is left is a margin for clocks that do not run alike. But after `STOP_S` of what? To count
from the last word *of* the boss is wrong: on a link that loses one direction only, the employee would hear of its boss
as long as the boss speaks, and stop long after the boss has given up. So it counts from when it *sent* the last Beat
that it has an answer to. The boss has heard that one, hence not before it was sent, and the boss counts from
there or later. This needs no common clock, only clocks that run at about the same speed.

A client has no work to stop, and its process may be busy with other things than its loop for long: it counts
its patience from when it has found the link broken, and leaves it to the server's lease to decide.

**Silence.** After `STALL_S` without a word (to the lower end: without an answer) a connection is given up, and whoever
has dialled the link dials again, at once and then with growing waits. A fresh connection has the same time to show that
it works. The upper end waits for a heartbeat less: what it heard last may be that much younger than what the lower one
counts from, which would be over before a dialler above has found out that the connection brings nothing.
"""

from __future__ import annotations

import enum
import math

import attrs

from triort._model.limits import (
    FENCE_S,
    HEARTBEAT_S,
    LEASE_S,
    REDIAL_WAIT_FIRST_S,
    REDIAL_WAIT_GROWTH,
    REDIAL_WAIT_MAX_S,
    STALL_S,
    STOP_S,
)


class Role(enum.Enum):
    """Which end of a link this is."""

    BOSS = "boss"
    EMPLOYEE = "employee"
    SERVER = "server"
    CLIENT = "client"

    @property
    def is_lower(self) -> bool:
        """Whether this end asks, and stops first."""
        return self is Role.EMPLOYEE or self is Role.CLIENT


PATIENCE_S = {Role.BOSS: FENCE_S, Role.EMPLOYEE: STOP_S, Role.SERVER: LEASE_S, Role.CLIENT: STOP_S}
"""After how much silence each end gives the link up for good."""


class Act(enum.Enum):
    """What is to be done about a link."""

    BEAT = "beat"
    """Send a Beat, as `Pulse.beat` words it."""
    STALL = "stall"
    """Give up the connection: nothing comes any more."""
    DIAL = "dial"
    """Try to open another one, and tell how it went."""
    END = "end"
    """The link is over."""


@attrs.define(eq=False)
class Pulse:
    """What one end knows of the other; all times are the node's own."""

    role: Role
    dials: bool
    """Whether this end opens the connections."""
    heard_at: float
    """The upper end: when it last heard the lower one. The lower end: when it sent what the upper one has answered."""
    is_broken: bool = False
    is_over: bool = False
    _usable_since: float = -math.inf
    _broken_at: float = -math.inf
    _beaten_at: float = -math.inf
    _number: int = 0
    _asked: dict[int, float] = attrs.Factory(dict)
    _owed: int = 0
    _dial_at: float = math.inf
    _wait_s: float = 0.0

    # -- what happens --------------------------------------------------------------------------------------------

    def heard(self, now: float, number: int = 0, echo: int = 0) -> None:
        """Something has come over the connection; if it was a Beat, with its number and echo."""
        if not self.role.is_lower:
            self.heard_at = now
            self._owed = number or self._owed
        elif echo in self._asked:
            self.heard_at = max(self.heard_at, self._asked[echo])
            self._asked = {each: when for each, when in self._asked.items() if each > echo}

    def broken(self, now: float) -> None:
        """The connection has ended, and that was not the end of the link."""
        if not self.is_broken:
            self.is_broken = True
            self._broken_at = now
            self._asked.clear()
            self._owed = 0
            self._wait_s = 0.0
            self._dial_at = now if self.dials else math.inf

    def failed(self, now: float) -> None:
        """Dialling has brought no connection."""
        self._wait_s = min(max(self._wait_s * REDIAL_WAIT_GROWTH, REDIAL_WAIT_FIRST_S), REDIAL_WAIT_MAX_S)
        self._dial_at = now + self._wait_s

    def resumed(self, now: float, asked_at: float | None = None) -> None:
        """There is a connection again. ``asked_at``: when this end sent what the other one has answered, if it has."""
        self.is_broken = False
        self._usable_since = now
        self._dial_at = math.inf
        self._beaten_at = -math.inf
        if not self.role.is_lower:
            self.heard_at = now
        elif asked_at is not None:
            self.heard_at = max(self.heard_at, asked_at)

    def beat(self, now: float) -> tuple[int, int]:
        """Number and echo of the Beat that is sent now."""
        echo, self._owed = self._owed, 0
        if not self.role.is_lower:
            return 0, echo
        self._beaten_at = now
        self._number += 1
        self._asked[self._number] = now
        return self._number, 0

    # -- what follows --------------------------------------------------------------------------------------------

    def decide(self, now: float) -> list[Act]:
        """What is to be done now; whoever asks does it all."""
        if self.is_over:
            return []
        if now >= self._over_at():
            self.is_over = True
            return [Act.END]
        acts = []
        if not self.is_broken and now >= self._stalled_at():
            self.broken(now)
            acts.append(Act.STALL)
        if not self.is_broken and now >= self._beat_at():
            acts.append(Act.BEAT)
        if self.is_broken and now >= self._dial_at:
            self._dial_at = math.inf  # until it is known how it went
            acts.append(Act.DIAL)
        return acts

    def next_deadline(self) -> float:
        """When there is something to decide, if nothing happens before."""
        if self.is_over:
            return math.inf
        if self.is_broken:
            return min(self._over_at(), self._dial_at)
        return min(self._over_at(), self._stalled_at(), self._beat_at())

    def _over_at(self) -> float:
        since = self.heard_at
        if self.role is Role.CLIENT:
            since = self._broken_at if self.is_broken else math.inf
        return since + PATIENCE_S[self.role]

    def _stalled_at(self) -> float:
        patience_s = STALL_S if self.role.is_lower else STALL_S - HEARTBEAT_S
        return max(self.heard_at, self._usable_since) + patience_s

    def _beat_at(self) -> float:
        if self._owed:
            return -math.inf
        return self._beaten_at + HEARTBEAT_S if self.role.is_lower else math.inf
