"""How what has gathered in a link becomes messages, none of which is above a limit: so many parts, and a header that
fits into a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from triort._core.attempts import Attempt, Result
from triort._core.links import BlobStore, Link, Send
from triort._model.limits import DIGEST_BYTES_MAX, FRAME_HEADER_BYTES_MAX, PARTS_PER_MESSAGE_MAX
from triort._model.marks import buggify
from triort._model.messages import Blobs, Cancel, Forget, Lost, Outcomes, Returned, Submit, Talk, TaskSpec

Item = TypeVar("Item")

SPECS_BYTES_MAX = FRAME_HEADER_BYTES_MAX // 2
"""How much of a header the specs of one batch may take; its columns take less than the other half."""
SPEC_BYTES = 170
DIGEST_BYTES = DIGEST_BYTES_MAX + 2


def pack(link: Link, outbox: list[Send], blobs: BlobStore, now: float) -> None:
    """Everything that has gathered in the link becomes messages. Their order is part of the protocol: see `links`."""
    link.is_touched = False
    if link.out_tasks:
        submitted, link.out_tasks = link.out_tasks, []
        for tasks in batched(submitted, 1 if buggify("batches of one") else PARTS_PER_MESSAGE_MAX):
            _pack_tasks(link, Submit, tasks, outbox, blobs, now)
    if link.out_returned:
        returned, link.out_returned = link.out_returned, []
        for tasks in batched(returned, PARTS_PER_MESSAGE_MAX):
            _pack_tasks(link, Returned, tasks, outbox, blobs, now)
    if link.out_results:
        ended, link.out_results = link.out_results, []
        for results in batched(ended, PARTS_PER_MESSAGE_MAX):
            _pack_results(link, results, outbox)
    if link.out_talk:
        for address, payload in link.out_talk:
            outbox.append(Send(link.conn, Talk(address, len(payload)), [payload]))
        link.out_talk = []
    if link.out_lost:
        losses, link.out_lost = link.out_lost, []
        for lost in batched(losses, PARTS_PER_MESSAGE_MAX):
            beside = [i for i, x in enumerate(lost) if x.beside]
            crashes = [x.crash for x in lost]
            message = Lost([x.address for x in lost], [x.blamed for x in lost], list(map(len, crashes)), beside)
            outbox.append(Send(link.conn, message, crashes))
    if link.out_cancels:
        cancels, link.out_cancels = link.out_cancels, []
        for addresses in batched(cancels, PARTS_PER_MESSAGE_MAX):
            outbox.append(Send(link.conn, Cancel(addresses), ()))
    if link.out_forgets:
        forgets, link.out_forgets = link.out_forgets, []
        for jobs in batched(forgets, PARTS_PER_MESSAGE_MAX):
            outbox.append(Send(link.conn, Forget(jobs), ()))


def _pack_tasks(
    link: Link, kind: type[Submit | Returned], tasks: list[Attempt], outbox: list[Send], blobs: BlobStore, now: float
) -> None:
    """One message, or more when the specs alone would fill a header."""
    while tasks:
        specs, spec_of = spec_columns(tasks)
        batch, tasks = tasks[: len(spec_of)], tasks[len(spec_of) :]
        _pack_batch(link, kind, batch, specs, spec_of, outbox, blobs, now)


def _pack_batch(
    link: Link,
    kind: type[Submit | Returned],
    tasks: list[Attempt],
    specs: list[TaskSpec],
    spec_of: list[int],
    outbox: list[Send],
    blobs: BlobStore,
    now: float,
) -> None:
    try:
        _pack_blobs(link, specs, outbox, blobs)
    except KeyError:  # a peer has told of the end of a job, or brought it about, that has tasks here
        told = [attempt for attempt in tasks if _can_tell(link, attempt.spec, blobs)]
        link.orphan([attempt for attempt in tasks if not _can_tell(link, attempt.spec, blobs)])
        _pack_tasks(link, kind, told, outbox, blobs, now)
        return
    left = {i: max(a.deadline - now, 0.0) for i, a in enumerate(tasks) if a.deadline is not None}
    parts = [attempt.payload or b"" for attempt in tasks]
    link.batch_sent += 1
    addresses = [attempt.address for attempt in tasks]
    sizes = [len(part) for part in parts]
    parents = [attempt.above for attempt in tasks] if kind is Submit and not link.below else []
    alone = [i for i, attempt in enumerate(tasks) if attempt.alone]
    message = kind(link.batch_sent, specs, addresses, spec_of, sizes, left, parents, alone)
    outbox.append(Send(link.conn, message, parts))
    if kind is Submit and link.below:
        link.unread[link.batch_sent] = [len(tasks), sum([attempt.cost_us for attempt in tasks])]
    for attempt in tasks:
        attempt.batch = link.batch_sent
        if attempt.origin is not None:
            attempt.payload = None


def _pack_blobs(link: Link, specs: list[TaskSpec], outbox: list[Send], blobs: BlobStore) -> None:
    for spec in specs:
        known = link.known.setdefault(spec.job, set())
        missing = [d for d in dict.fromkeys((spec.function, *spec.blobs)) if d not in known]
        for digests in batched(missing, PARTS_PER_MESSAGE_MAX):
            parts = [blobs[spec.job][digest] for digest in digests]
            outbox.append(Send(link.conn, Blobs(spec.job, digests, [len(p) for p in parts]), parts))
        known.update(missing)


def _can_tell(link: Link, spec: TaskSpec, blobs: BlobStore) -> bool:
    """Whether the peer knows what the tasks of this spec need, or can be told."""
    there = link.known.get(spec.job, set()).union(blobs.get(spec.job, ()))
    return there.issuperset((spec.function, *spec.blobs))


def _pack_results(link: Link, results: list[Result], outbox: list[Send]) -> None:
    link.batch_sent += 1
    if link.below:
        link.note_results(len(results))
    parts = [result.payload for result in results]
    message = Outcomes(
        link.batch_sent,
        [result.address for result in results],
        [result.kind for result in results],
        [result.duration_us for result in results],
        [len(part) for part in parts],
    )
    outbox.append(Send(link.conn, message, parts))


def batched(items: list[Item], size_max: int) -> list[list[Item]]:
    """The list in pieces; as it is, when it is short enough."""
    if len(items) <= size_max:
        return [items] if items else []
    return [items[start : start + size_max] for start in range(0, len(items), size_max)]


def spec_columns(tasks: Sequence[Attempt]) -> tuple[list[TaskSpec], list[int]]:
    """The specs of the first tasks, as many as fit into a header, and which of them each task has."""
    of_all = [attempt.spec for attempt in tasks]
    if of_all.count(of_all[0]) == len(of_all):
        return of_all[:1], [0] * len(of_all)
    positions: dict[int, int] = {}
    specs: list[TaskSpec] = []
    spec_of: list[int] = []
    size = 0
    for spec in of_all:
        position = positions.get(id(spec))
        if position is None:
            if not specs or spec != specs[-1]:
                size += header_size(spec)
                if specs and size > SPECS_BYTES_MAX:
                    break
                specs.append(spec)
            position = positions[id(spec)] = len(specs) - 1
        spec_of.append(position)
    return specs, spec_of


def header_size(spec: TaskSpec) -> int:
    """An upper bound of the bytes that a spec takes in a header."""
    options = spec.options
    size = SPEC_BYTES + 4 * (len(spec.function_name) + len(options.name or "")) + DIGEST_BYTES * len(spec.blobs)
    for key, value in options.log_context.items():
        size += 10 + 4 * (len(key) + len(value))
    return size
