"""The two ends of a link agree: what one has received and not answered the other has sent; at rest, and the reverse."""

from __future__ import annotations

from triort._core.links import Link
from triort._core.node_core import NodeCore
from triort._model.ids import show_address
from triort.testing._checkers.books import pairs
from triort.testing._run import Checker


class BothEnds(Checker):
    """Holds for every link that both ends have, unless a fault has made them differ for good."""

    name = "both_ends"

    def look(self) -> None:
        """An entry leaves the receiver first."""
        for name, employee, _, above in pairs(self.world):
            self._compare(name, "was given", above, employee.link)
            self._compare(name, "has offered", employee.link, above)
            for attempt in employee.link.sent.values():
                if attempt.batch > above.batch_read and attempt.batch not in employee.link.unread:
                    self.fail(f"batch {attempt.batch} to {name} counts as read, and it has read {above.batch_read}")

    def _compare(self, name: str, did: str, receiver: Link, sender: Link) -> None:
        if not receiver.received.keys() <= sender.sent.keys():
            extra = [address for address in receiver.received if address not in sender.sent]
            first = ", ".join(map(show_address, extra[:3]))
            self.fail(f"{name} {did} {first}, and the one who sent it knows nothing of it any more")

    def at_rest(self) -> None:
        """Now nothing is on its way."""
        for name, employee, peer, above in pairs(self.world):
            link = employee.link
            if link.sent.keys() != above.received.keys() or above.sent.keys() != link.received.keys():
                self.fail(f"the ends of the link of {name} differ in what is open")
            if link.batch_sent != above.batch_read:
                self.fail(f"{link.batch_sent} batches were sent to {name}, and it has read {above.batch_read}")
            credit = peer.want_credit if isinstance(peer, NodeCore) else peer.want
            if credit != employee.wanted:
                self.fail(f"{name} may offer {credit} tasks, and its boss waits for {employee.wanted}")
