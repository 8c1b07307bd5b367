"""How columns become messages, and what a link remembers of them."""

import msgspec
import pytest

from tests._core.makers import FN, JOB, SPEC, make_attempt, make_spec, submit
from triort._core.attempts import Attempt, Result
from triort._core.links import Link, Loss, Send
from triort._core.packing import pack
from triort._core.unpacking import unpack_tasks
from triort._model.errors import ProtocolError
from triort._model.ids import Address, Digest
from triort._model.limits import FRAME_HEADER_BYTES_MAX, PARTS_PER_MESSAGE_MAX, UNREAD_BATCHES_MAX
from triort._model.messages import Blobs, Cancel, Forget, Lost, Message, Outcomes, Returned, Submit, Talk

STORE = {JOB: {FN: b"code", Digest(b"table"): b"data"}}


def make_link(*, below: bool = True) -> Link:
    return Link("conn", "peer", below)


def flush(link: Link, now: float = 0.0) -> list[Send]:
    outbox: list[Send] = []
    pack(link, outbox, STORE, now)
    return outbox


def messages(link: Link) -> list[Message]:
    return [send.message for send in flush(link)]


def test_blobs_go_before_the_tasks_and_once_per_link_and_job() -> None:
    link, spec = make_link(), make_spec(blobs=(Digest(b"table"),))
    link.place(make_attempt(1, spec))
    assert flush(link) == [
        Send("conn", Blobs(JOB, [FN, Digest(b"table")], [4, 4]), [b"code", b"data"]),
        Send("conn", Submit(1, [spec], [Address(1)], [0], [1]), [b"1"]),
    ]
    link.place(make_attempt(2))
    assert messages(link) == [Submit(2, [SPEC], [Address(2)], [0], [1])]
    link.forget(JOB)
    assert messages(link) == [Forget([JOB])]
    link.place(make_attempt(3))
    assert messages(link) == [Blobs(JOB, [FN], [4]), Submit(3, [SPEC], [Address(3)], [0], [1])]


def test_one_flush_keeps_the_order_of_the_protocol() -> None:
    link = make_link()
    attempt = make_attempt(1)
    link.out_lost.append(Loss(Address(4), False, b""))
    link.out_results.append(Result(Address(3), 0, 9, b"v"))
    link.out_returned.append(make_attempt(2))
    link.place(attempt)
    link.say(attempt, b"hi")
    link.cancel(attempt)
    kinds = [Blobs, Submit, Returned, Outcomes, Talk, Lost, Cancel]
    assert [type(message) for message in messages(link)] == kinds
    assert messages(link) == []


@pytest.mark.parametrize("surplus", [0, 1])
def test_every_column_is_cut_where_a_message_is_full(surplus: int) -> None:
    link, count = make_link(), PARTS_PER_MESSAGE_MAX + surplus
    attempts = [make_attempt(number) for number in range(count)]
    for attempt in attempts:
        link.place(attempt)
        link.cancel(attempt)
        link.out_lost.append(Loss(attempt.address, False, b""))
        link.out_results.append(Result(attempt.address, 0, 1, b""))
    sent = messages(link)[1:]
    assert [(type(m), len(m.addresses)) for m in sent if isinstance(m, Submit | Outcomes | Lost | Cancel)] == [
        (kind, size)
        for kind in (Submit, Outcomes, Lost, Cancel)
        for size in ([PARTS_PER_MESSAGE_MAX, surplus] if surplus else [PARTS_PER_MESSAGE_MAX])
    ]


def test_tasks_of_one_spec_name_it_once() -> None:
    link = make_link()
    specs = [make_spec(), make_spec(), make_spec(depth=1)]
    for number, spec in enumerate([*specs, specs[0]]):
        link.place(make_attempt(number, spec))
    assert messages(link)[1:] == [
        Submit(1, [specs[0], specs[2]], [Address(n) for n in range(4)], [0, 0, 1, 0], [1] * 4)
    ]


def test_specs_with_long_names_never_fill_a_header() -> None:
    link = make_link()
    for number in range(PARTS_PER_MESSAGE_MAX):
        context = {"request": f"{number}" + "\N{SNOWMAN}" * 200}
        link.place(make_attempt(number, make_spec(name="\N{SNOWMAN}" * 200, log_context=context)))
    batches = [message for message in messages(link) if isinstance(message, Submit)]
    assert [address for batch in batches for address in batch.addresses] == list(range(PARTS_PER_MESSAGE_MAX))
    assert len(batches) > 1
    assert max(len(msgspec.msgpack.encode(batch)) for batch in batches) < FRAME_HEADER_BYTES_MAX


def test_the_payload_is_dropped_after_placing_except_at_the_owner() -> None:
    link, origin = make_link(), make_link()
    own, passing = make_attempt(1), make_attempt(2, origin=origin)
    link.place(own)
    link.place(passing)
    flush(link)
    assert (own.payload, passing.payload) == (b"1", None)


def test_a_deadline_travels_as_seconds_left() -> None:
    link, other = make_link(), make_link(below=False)
    other.known[JOB] = {FN}
    link.place(make_attempt(1, deadline=12.0))
    link.place(make_attempt(2))
    sent = flush(link, now=10.0)[1].message
    assert sent == Submit(1, [SPEC], [Address(1), Address(2)], [0, 0], [1, 1], {0: 2.0})
    assert isinstance(sent, Submit)
    attempts = unpack_tasks(other, sent, [b"1", b"2"], now=100.0)
    assert [attempt.deadline for attempt in attempts] == [102.0, None]


def placed(link: Link, *addresses: int, cost_us: int = 100) -> list[Attempt]:
    attempts = [make_attempt(address, cost_us=cost_us) for address in addresses]
    for attempt in attempts:
        link.place(attempt)
    flush(link)
    return attempts


def test_what_was_sent_after_the_receipt_counts_as_queued() -> None:
    link = make_link()
    placed(link, 1, 2)
    placed(link, 3)
    assert (link.queued, link.queued_us) == (3, 300)
    link.read_receipt(1, is_idle=True)
    assert (link.queued, link.queued_us) == (1, 100)
    link.close(Address(1))
    assert (link.queued, link.queued_us) == (1, 100)
    link.close(Address(3))
    assert (link.queued, link.queued_us, link.unread) == (0, 0, {})


def test_a_peer_that_is_not_idle_may_still_have_what_it_has_read_in_its_queue() -> None:
    link = make_link()
    placed(link, 1, 2)
    link.read_receipt(1, is_idle=False)
    assert (link.queued, link.queued_us) == (2, 200)


def answered(link: Link, *counts: int) -> None:
    """So many results go out, in so many batches."""
    for count in counts:
        link.out_results += [Result(Address(number), 0, 1, b"") for number in range(count)]
        flush(link)


def test_results_that_were_read_do_not_count_as_unread_though_more_are_on_their_way() -> None:
    """Where tasks get many results, more are always on their way: a manager of such seemed to have no idle worker."""
    link = make_link()
    answered(link, 3, 2, 4)
    assert link.results_unread == 9
    link.read_receipt(2, is_idle=False)
    assert link.results_unread == 4
    link.has_read_results()
    answered(link, 5)
    link.read_receipt(3, is_idle=True)
    assert link.results_unread == 5
    link.read_receipt(4, is_idle=True)
    assert link.results_unread == 0


def test_of_many_unread_batches_the_first_ones_are_read_together() -> None:
    link = make_link()
    answered(link, *[1] * (UNREAD_BATCHES_MAX + 2))
    link.read_receipt(2, is_idle=True)
    assert link.results_unread == UNREAD_BATCHES_MAX + 2
    link.read_receipt(3, is_idle=True)
    assert link.results_unread == UNREAD_BATCHES_MAX - 1


def test_nobody_counts_what_a_boss_has_read() -> None:
    link = make_link(below=False)
    answered(link, 3)
    assert link.results_unread == 0


def test_a_closed_entry_is_gone_and_its_cancel_answered() -> None:
    link = make_link()
    (attempt,) = placed(link, 1)
    link.cancel(attempt)
    assert link.cancelling == {1}
    assert link.close(Address(1)) is attempt
    assert link.close(Address(1)) is None
    assert (link.cancelling, link.sent) == (set(), {})


def test_tasks_sent_twice_or_without_their_blobs_or_parents_are_the_peers_fault() -> None:
    link = make_link(below=False)
    message, parts = submit(1)
    with pytest.raises(ProtocolError, match="without their blobs"):
        unpack_tasks(link, message, parts, 0.0)
    link.known[JOB] = {FN}
    unpack_tasks(link, message, parts, 0.0)
    with pytest.raises(ProtocolError, match="sent task 0:1 twice"):
        unpack_tasks(link, message, parts, 0.0)
    employee = make_link()
    employee.known[JOB] = {FN}
    with pytest.raises(ProtocolError, match="without their parents"):
        unpack_tasks(employee, message, parts, 0.0)
    message, parts = submit(2, parents=[9])
    with pytest.raises(ProtocolError, match="a child of task 0:9, which it does not have"):
        unpack_tasks(employee, message, parts, 0.0)


def test_messages_to_a_task_follow_it_when_it_is_placed() -> None:
    link = make_link()
    attempt = make_attempt(1)
    attempt.keep_talk(b"a")
    attempt.keep_talk(b"b")
    link.place(attempt)
    assert [send.parts for send in flush(link) if isinstance(send.message, Talk)] == [[b"a"], [b"b"]]


def test_tasks_that_cannot_be_sent_take_no_credit_nor_that_of_others() -> None:
    """Their job has ended; one of them was given to another peer before, in a batch of the same number."""
    link = make_link()
    link.place(make_attempt(1, cost_us=10))
    flush(link)
    stale = [make_attempt(number, cost_us=10, batch=1) for number in (2, 3)]
    link.place(*stale)
    outbox: list[Send] = []
    link.known.clear()
    pack(link, outbox, {}, 0.0)
    assert (outbox, link.orphans) == ([], stale)
    for attempt in stale:
        link.close(attempt.address)
    assert (list(link.sent), link.queued, link.queued_us, link.unread) == ([1], 1, 10, {1: [1, 10]})
