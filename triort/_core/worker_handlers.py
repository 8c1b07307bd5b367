"""What a worker does with each kind of message from its boss; anything else is the boss's fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from triort._core.unpacking import close_outcomes, unpack_losses, unpack_tasks
from triort._model.limits import bounded
from triort._model.messages import (
    Blobs,
    Cancel,
    Forget,
    Lost,
    Message,
    Outcomes,
    Shutdown,
    Submit,
    Talk,
    Want,
)

if TYPE_CHECKING:
    from triort._core.worker_core import WorkerCore


def blobs(core: WorkerCore, message: Blobs, parts: Sequence[bytes]) -> None:
    core.boss.learn(message, parts, core.hops.blobs)


def submit(core: WorkerCore, message: Submit, parts: Sequence[bytes]) -> None:
    core.backlog.add_all(unpack_tasks(core.boss, message, parts, core.now))


def outcomes(core: WorkerCore, message: Outcomes, parts: Sequence[bytes]) -> None:
    for attempts, results in close_outcomes(core.boss, message, parts):
        core.hops.pass_results(attempts, results)


def lost(core: WorkerCore, message: Lost, parts: Sequence[bytes]) -> None:
    for loss in unpack_losses(message, parts):
        attempt = core.boss.close(loss.address)
        if attempt is not None:
            core.hops.pass_loss(attempt, loss)


def cancel(core: WorkerCore, message: Cancel, parts: Sequence[bytes]) -> None:
    for address in message.addresses:
        attempt = core.boss.received.get(address)
        if attempt is not None:
            core.cancel_attempt(attempt)


def talk(core: WorkerCore, message: Talk, parts: Sequence[bytes]) -> None:
    attempt = core.boss.received.get(message.address)
    if attempt is not None:
        core.hear(attempt, parts[0])


def forget(core: WorkerCore, message: Forget, parts: Sequence[bytes]) -> None:
    for job in message.jobs:
        core.hops.blobs.pop(job, None)
        core.boss.forget(job)


def want(core: WorkerCore, message: Want, parts: Sequence[bytes]) -> None:
    core.want = bounded(core.want + message.credit)
    core.hops.give_back(core.boss, message.recall)


def shutdown(core: WorkerCore, message: Shutdown, parts: Sequence[bytes]) -> None:
    core.shutting_down = True


Handler = Callable[["WorkerCore", Any, Sequence[bytes]], None]

FROM_BOSS: dict[type[Message], Handler] = {
    Blobs: blobs,
    Submit: submit,
    Outcomes: outcomes,
    Lost: lost,
    Cancel: cancel,
    Talk: talk,
    Forget: forget,
    Want: want,
    Shutdown: shutdown,
}
