"""What a boss does about a worker that is busy: poke it, recall its unstarted tasks, or kill it.

The worker's only thread may be in user code for long, so its boss looks at the page that they share: which task is on
the CPU (``root`` is the one of these that the boss knows), how often that has changed, and how much mail was read.

* Mail that has waited since the last look: poke, so that the worker reads it between two bytecodes. Any mail, when
  the task is the same as at the last look and workers are idle elsewhere: it may ask for work.
* A cancel of the task on the CPU that is not answered: poke at every look, and kill after the grace time. The same
  if the worker itself says that the task is over (its deadline has passed, or its parent there wants it no more).
* A deadline that has passed: poke.
* Results or prints that it has gathered, with one task on the CPU since the last look: poke, so that they leave.
* One task on the CPU since the last look, with unstarted ones behind it and idle workers elsewhere: recall these, and
  take what the task itself has submitted. Once for each task, and again when more was sent meanwhile. Where nothing can
  be behind it, as with nearly all long tasks of a wide tree, there is neither a message nor a poke.
* No task on the CPU, none that has ended since the last look, and some that have not started: an async one waits for
  something outside, perhaps with a step now and then, and holds the slot. These are recalled as well, without a poke,
  for the worker reads its mail.
"""

from __future__ import annotations

import enum

import attrs

from triort._core.links import Link
from triort._model.ids import Address
from triort._model.limits import GRACE_S
from triort._model.marks import sometimes


class Action(enum.Enum):
    """What is to be done about a worker."""

    POKE = "poke"
    RECALL = "recall"
    KILL = "kill"


@attrs.frozen
class Glance:
    """What the page of a worker says."""

    on_cpu: int
    root: int
    steps: int
    mail_read: int
    deadline_s: float
    unsent: int = 0
    over: int = 0
    queued: int = 0
    """How many tasks waited there when it last sent something, its own among them."""
    done: int = 0
    """How many have ended there."""


@attrs.define(eq=False)
class Watch:
    """What the boss remembers of one worker between two looks."""

    link: Link
    mail_sent: int = 0
    _last: Glance | None = None
    _last_mail_sent: int = 0
    _last_recall: tuple[int, int] = (-1, -1)
    _stubborn_since: float | None = None

    def decide(self, now: float, clock_s: float, glance: Glance, idle_elsewhere: int) -> list[Action]:
        """Look at the worker; ``clock_s`` is the time on the worker's clock, in which its deadline is given."""
        last, self._last = self._last, glance
        sent_before, self._last_mail_sent = self._last_mail_sent, self.mail_sent
        same_task = last is not None and last.on_cpu == glance.on_cpu and last.steps == glance.steps
        if not glance.on_cpu:
            self._stubborn_since = None
            is_held_up = last is not None and last.done == glance.done and last.queued > 0 and glance.queued > 0
            is_to_recall = is_held_up and idle_elsewhere > 0 and self._is_news(-glance.done)
            return [Action.RECALL] if is_to_recall else []
        actions: list[Action] = []
        if Address(glance.root) in self.link.cancelling or glance.over == glance.on_cpu:
            if self._stubborn_since is None:
                self._stubborn_since = now
            if now - self._stubborn_since >= GRACE_S:
                sometimes("a task that ignores its cancel costs its worker")
                return [Action.KILL]
            actions = [Action.POKE]
        else:
            self._stubborn_since = None
        mail_waits = last is not None and glance.mail_read < sent_before and glance.mail_read == last.mail_read
        if same_task and idle_elsewhere and glance.mail_read < self.mail_sent:
            mail_waits = True
        if mail_waits or 0 < glance.deadline_s <= clock_s or (same_task and glance.unsent):
            actions = [Action.POKE]
        has_more = glance.queued or len(self.link.sent) > 1
        if same_task and idle_elsewhere and has_more and self._is_news(glance.steps):
            actions.append(Action.RECALL)
        return actions

    def _is_news(self, task: int) -> bool:
        """Whether the worker was not asked since this task is there and something was sent; it is asked now."""
        before, self._last_recall = self._last_recall, (task, self.link.batch_sent)
        return before != self._last_recall

    def is_too_large(self, memory_bytes: int, limit_bytes: int) -> bool:
        """Whether a worker with so much in memory is to be killed; without a limit (0) none is."""
        return 0 < limit_bytes < memory_bytes
