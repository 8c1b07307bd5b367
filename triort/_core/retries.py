"""What the owner of a lost task does: submit it again, or settle it."""

import msgspec

from triort._core.attempts import Attempt, Result
from triort._core.links import Loss
from triort._model.marks import sometimes
from triort._model.outcomes import Crash, OutcomeKind
from triort._model.parts import Large

_decoder = msgspec.msgpack.Decoder(Crash)
_encode = msgspec.msgpack.Encoder().encode
UNKNOWN = Crash("unknown")


def decode_crash(payload: bytes) -> Crash:
    """What is told of the end of a worker; a peer's nonsense counts as nothing, for it is only for people to read."""
    if isinstance(payload, Large):
        return UNKNOWN
    try:
        return _decoder.decode(payload)
    except msgspec.MsgspecError:
        return UNKNOWN


def note_history(fresh: Attempt, before: Attempt, loss: Loss | None, crashes: int) -> None:
    """A task is submitted again as ``fresh``. It is a suspect if it was ever to blame. And if it was lost a second time
    by a task below it that had come to its own worker: whoever counts the crashes of that one must not die with it."""
    fresh.beside = before.beside + (loss is not None and loss.beside)
    fresh.alone = before.alone or crashes > 0 or fresh.beside > 1


def after_loss(attempt: Attempt, loss: Loss, crashes: int, is_cancelled: bool) -> Result | None:
    """The result that settles the task, or None when it is to be submitted again.

    ``crashes`` counts the attempts that were on the CPU of a worker when it died, this one included: only these are
    to blame. A cancelled task needs no other answer than its loss. ``at_most_once`` forbids a second attempt. A task
    that took more memory than a worker may gets one more attempt, alone, for it may have been the sum that was too
    much; after that it needs no third one.
    """
    if is_cancelled:
        return Result(attempt.address, OutcomeKind.CANCELLED, 0, b"")
    options = attempt.spec.options
    crash = decode_crash(loss.crash) if loss.crash else UNKNOWN
    is_too_large = crash.out_of_memory and crash.alone
    if not (options.at_most_once or is_too_large) and crashes < options.crash_limit:
        sometimes("a lost task is submitted again")
        return None
    sometimes("a task has crashed for good")
    payload = _encode(msgspec.structs.replace(crash, attempts=max(crashes, 1)))
    return Result(attempt.address, OutcomeKind.CRASHED, 0, payload)
