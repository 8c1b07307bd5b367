"""What the owner of a lost task does: submit it again, or settle it."""

import msgspec

from triort._core.attempts import Attempt, Result
from triort._core.links import Loss
from triort._model.marks import sometimes
from triort._model.outcomes import Crash, OutcomeKind

_crash = msgspec.msgpack.Decoder(Crash)
_encode = msgspec.msgpack.Encoder().encode


def after_loss(attempt: Attempt, loss: Loss, crashes: int, is_cancelled: bool) -> Result | None:
    """The result that settles the task, or None when it is to be submitted again.

    ``crashes`` counts the attempts that were on the CPU of a worker when it died, this one included: only these are
    to blame. A cancelled task needs no other answer than its loss. ``at_most_once`` forbids a second attempt.
    """
    if is_cancelled:
        return Result(attempt.address, OutcomeKind.CANCELLED, 0, b"")
    options = attempt.spec.options
    if not options.at_most_once and crashes < options.crash_limit:
        sometimes("a lost task is submitted again")
        return None
    sometimes("a task has crashed for good")
    try:
        crash = _crash.decode(loss.crash)
    except msgspec.MsgspecError:  # empty, or a peer's nonsense: it is only for people to read
        crash = Crash("unknown")
    payload = _encode(msgspec.structs.replace(crash, attempts=max(crashes, 1)))
    return Result(attempt.address, OutcomeKind.CRASHED, 0, payload)
