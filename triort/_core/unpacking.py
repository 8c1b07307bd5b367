"""What has come over a link, from columns to attempts and losses."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from triort._core.attempts import Attempt, Result
from triort._core.links import Link, Loss
from triort._model.errors import ProtocolError
from triort._model.ids import Address, show_address
from triort._model.messages import Lost, Outcomes, TaskBatch
from triort._model.outcomes import OutcomeKind


def unpack_tasks(link: Link, message: TaskBatch, parts: Sequence[bytes], now: float) -> list[Attempt]:
    """The attempts of a batch, entered into ``link.received``; an address that is open there is a protocol error, and
    so is a task whose function has not come before it."""
    link.batch_read = message.batch
    for spec in message.specs:
        known = link.known.get(spec.job, ())
        if spec.function not in known or not all(digest in known for digest in spec.blobs):
            raise ProtocolError(f"{link.name} sent tasks without their blobs")
    received, specs = link.received, message.specs
    columns = zip(message.addresses, message.spec_of, parts, strict=True)
    fresh = {address: Attempt(address, specs[index], payload, link) for address, index, payload in columns}
    if len(fresh) < len(parts) or not fresh.keys().isdisjoint(received):
        raise ProtocolError(f"{link.name} sent task {show_address(_first_twice(received, message))} twice")
    received.update(fresh)
    attempts = list(fresh.values())
    if link.below:
        _enter_parents(link, message, attempts)
    for index, seconds in message.seconds_left.items():
        attempts[index].deadline = now + seconds
    for index in message.alone:
        attempts[index].alone = True
    return attempts


def close_outcomes(
    link: Link, message: Outcomes, parts: Sequence[bytes]
) -> Iterator[tuple[list[Attempt], list[Result]]]:
    """The attempts of which a peer tells the ends, which are closed with that, and their results: all at once if they
    are values. Others have consequences for those behind them, so each is closed when that before has been seen to. (Of
    values only one has that a loss waited for, see `Hops.cancel`.)"""
    link.batch_read = message.batch
    results = list(map(Result, message.addresses, message.kinds, message.durations_us, parts))
    if message.kinds.count(OutcomeKind.VALUE) < len(results):
        for result in results:
            attempt = link.close(result.address)
            if attempt is not None:
                yield [attempt], [result]
        return
    attempts = link.close_all(message.addresses)
    known = [attempt for attempt in attempts if attempt is not None]
    if len(known) < len(results):
        results = [result for attempt, result in zip(attempts, results, strict=True) if attempt is not None]
    if known:
        yield known, results


def unpack_losses(message: Lost, parts: Sequence[bytes]) -> list[Loss]:
    """What a peer has lost."""
    beside = set(message.beside)
    columns = zip(message.addresses, message.blamed, parts, strict=True)
    return [Loss(address, blamed, crash, i in beside) for i, (address, blamed, crash) in enumerate(columns)]


def _first_twice(received: Container[Address], message: TaskBatch) -> Address:
    """The first address of the batch that is open already, or comes in it for the second time."""
    seen: set[Address] = set()
    for address in message.addresses:
        if address in received or address in seen:
            return address
        seen.add(address)
    raise AssertionError("no address is there twice")


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
