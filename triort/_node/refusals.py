"""What a node's log says of bad peers: who and why, but not more often than somebody might read it."""

from __future__ import annotations

import logging

import attrs
import trio

from triort._model.limits import REASON_CHARS_MAX, REFUSALS_LOGGED_MAX, REFUSALS_WINDOW_S
from triort._model.text import readable


@attrs.define(eq=False)
class Refusals:
    """Logs up to `REFUSALS_LOGGED_MAX` lines in `REFUSALS_WINDOW_S`, and how many more there were with the next one."""

    logger: logging.Logger
    _since: float = float("-inf")
    _count: int = 0
    total: int = 0
    """How many there have been."""

    def note(self, name: str, what: object, level: int = logging.WARNING) -> None:
        """A peer was refused, or has lost its link by its own fault."""
        now = trio.current_time()
        self.total += 1
        if now - self._since >= REFUSALS_WINDOW_S:
            left_out = self._count - REFUSALS_LOGGED_MAX
            if left_out > 0:
                self.logger.log(level, "%s: %d more lines like these were left out", name, left_out)
            self._since, self._count = now, 0
        self._count += 1
        if self._count <= REFUSALS_LOGGED_MAX:
            self.logger.log(level, "%s: %s", name, readable(str(what), REASON_CHARS_MAX))
