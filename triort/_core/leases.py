"""Clients of a server with a journal whose links have ended: their jobs wait for them, each for a lease.

A client says a *token*, its own number over all of its links, and may come back over another one: after a restart of
the server, or when its session could not go on. It asks then for all that it has open, and gets it. When the lease ends
before that, its jobs end, and the client is *given up*. It is not let in again: jobs whose acceptance it had not heard
of have been forgotten here, so it would submit them a second time, which those forbid that may run *at most once*.
"""

from __future__ import annotations

import attrs

from triort._model.limits import CLIENTS_GIVEN_UP_MAX, LEASE_S


@attrs.define(eq=False)
class Leases:
    """By token."""

    until: dict[object, float] = attrs.Factory(dict)
    given_up: dict[object, None] = attrs.Factory(dict)
    """The latest ones."""

    def begin(self, token: object, now: float) -> None:
        """The client is away from now on."""
        self.until[token] = now + LEASE_S

    def extend(self, token: object, now: float) -> None:
        """The client is back, and has as long again to ask for what it has: that may still be under way. What it has
        not asked for by then it does not know of."""
        if token in self.until:
            self.begin(token, now)

    def pop_due(self, now: float) -> list[object]:
        """Those whose lease has ended."""
        due = [token for token, until in self.until.items() if until <= now]
        for token in due:
            del self.until[token]
        return due

    def give_up(self, token: object) -> None:
        """The client may not come back."""
        self.given_up[token] = None
        if len(self.given_up) > CLIENTS_GIVEN_UP_MAX:
            del self.given_up[next(iter(self.given_up))]
