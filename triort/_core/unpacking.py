"""What has come over a link, from columns to attempts and losses."""

from __future__ import annotations

from collections.abc import Sequence

from triort._core.attempts import Attempt
from triort._core.links import Link, Loss
from triort._model.errors import ProtocolError
from triort._model.ids import show_address
from triort._model.messages import Lost, TaskBatch


def unpack_tasks(link: Link, message: TaskBatch, parts: Sequence[bytes], now: float) -> list[Attempt]:
    """The attempts of a batch, entered into ``link.received``; an address that is open there is a protocol error, and
    so is a task whose function has not come before it."""
    link.batch_read = message.batch
    for spec in message.specs:
        known = link.known.get(spec.job, ())
        if spec.function not in known or not all(digest in known for digest in spec.blobs):
            raise ProtocolError(f"{link.name} sent tasks without their blobs")
    received = link.received
    attempts = []
    for address, index, payload in zip(message.addresses, message.spec_of, parts, strict=True):
        if address in received:
            raise ProtocolError(f"{link.name} sent task {show_address(address)} twice")
        attempt = Attempt(address, message.specs[index], payload, link)
        received[address] = attempt
        attempts.append(attempt)
    if link.below:
        _enter_parents(link, message, attempts)
    for index, seconds in message.seconds_left.items():
        attempts[index].deadline = now + seconds
    for index in message.alone:
        attempts[index].alone = True
    return attempts


def unpack_losses(message: Lost, parts: Sequence[bytes]) -> list[Loss]:
    """What a peer has lost."""
    beside = set(message.beside)
    columns = zip(message.addresses, message.blamed, parts, strict=True)
    return [Loss(address, blamed, crash, i in beside) for i, (address, blamed, crash) in enumerate(columns)]


def _enter_parents(link: Link, message: TaskBatch, attempts: list[Attempt]) -> None:
    if len(message.parents) != len(attempts):
        raise ProtocolError(f"{link.name} sent tasks without their parents")
    for attempt, address in zip(attempts, message.parents, strict=True):
        parent = link.sent.get(address)
        if parent is None:
            raise ProtocolError(f"{link.name} sent a child of task {show_address(address)}, which it does not have")
        if attempt.spec.job != parent.spec.job:
            raise ProtocolError(f"{link.name} sent a child of job {attempt.spec.job} below a task of {parent.spec.job}")
        attempt.parent = address
        is_given = parent.origin is None or not parent.origin.below
        attempt.above = address if is_given else parent.above
