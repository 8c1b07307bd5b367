"""A server that says what makes no sense: its client gets a readable error, and neither hangs nor fills its memory."""

from __future__ import annotations

import random

import pytest
import trio
import trio.testing

from tests.security.at_client import AtClient
from triort._client.jobs import Job
from triort._model import messages as m
from triort._model.errors import ProtocolError, TaskCancelled
from triort._model.ids import JobId
from triort._model.limits import JOB_ITEMS_MAX
from triort._model.outcomes import OutcomeKind
from triort._model.roles import Place
from triort._wire import payload
from triort._wire.frames import FrameParser, encode

JOB = JobId(5)


@pytest.fixture
def scene() -> AtClient:
    return AtClient(random.Random(1), Place.SERVER)


def accepted(scene: AtClient, number: int) -> Job:
    job = scene.jobs[number]
    scene.session._handle(m.JobAccepted(job._request, JOB), [])
    return job


def test_a_job_that_ends_before_all_was_told_costs_the_server_its_link(scene: AtClient) -> None:
    job = accepted(scene, 2)
    scene.session._handle(m.JobOutcomes(JOB, [1], [0], [1]), [b"x"])
    with pytest.raises(ProtocolError, match="ends a job of 3 items with 1 told"):
        scene.session._handle(m.JobEnded(JOB), [])
    assert not job._is_ended
    scene.session.lose("it broke the protocol")
    assert job._is_ended


async def test_what_a_server_has_told_before_it_breaks_the_protocol_is_not_lost(scene: AtClient) -> None:
    """The client may come back to the job by another link, where the same is told again and dropped."""
    job = accepted(scene, 2)
    with pytest.raises(ProtocolError, match="tells of item 3 of a job of 3"):
        scene.session._handle(m.JobOutcomes(JOB, [1, 3], [0, 0], [5, 5]), [payload.dumps(7)] * 2)
    scene.session._handle(m.JobOutcomes(JOB, [1, 2], [0, 0], [5, 5]), [payload.dumps(7)] * 2)
    assert await job._next_batch() == [(1, 7), (2, 7)]


@pytest.mark.parametrize("first", ["the end", "the cancel"])
async def test_a_wait_for_a_job_may_be_cancelled_while_the_job_ends(scene: AtClient, first: str) -> None:
    job = accepted(scene, 0)
    job._feed = None
    waits = trio.CancelScope()
    came_back = []

    async def wait() -> None:
        with waits:
            await job._end_or_cancel()
            came_back.append(job)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        if first == "the cancel":
            waits.cancel()
        scene.session._handle(m.JobOutcomes(JOB, [0], [0], [1]), [b"x"])
        scene.session._handle(m.JobEnded(JOB), [])
        waits.cancel()
    assert (came_back, job._waiter, job._cancelled) == ([job] if first == "the end" else [], None, False)
    with trio.fail_after(1):
        await job._end_or_cancel()


def test_a_job_that_was_cancelled_before_all_of_it_was_sent_is_cancelled(scene: AtClient) -> None:
    job = accepted(scene, 3)
    job._cancel_nowait()
    scene.session._handle(m.JobOutcomes(JOB, [0], [0], [1]), [b"x"])
    scene.session._handle(m.JobEnded(JOB), [])
    with pytest.raises(TaskCancelled, match="before all of it was sent"):
        job._value()


@pytest.mark.parametrize("kind", [OutcomeKind.ERROR, OutcomeKind.CRASHED, OutcomeKind.TIMEOUT])
def test_an_outcome_that_cannot_be_read_is_an_error_that_can(scene: AtClient, kind: OutcomeKind) -> None:
    job = accepted(scene, 0)
    scene.session._handle(m.JobOutcomes(JOB, [0], [int(kind)], [2]), [b"\xff\xfe"])
    scene.session._handle(m.JobEnded(JOB), [])
    with pytest.raises(ProtocolError, match="what has become of the task abs cannot be read"):
        job._value()


def test_a_job_of_more_items_than_there_can_be_is_refused_by_the_parser() -> None:
    frame = b"".join(encode([(m.JobAccepted(1, JOB, JOB_ITEMS_MAX + 1), [])]))
    with pytest.raises(ProtocolError, match="items"):
        FrameParser().feed(frame)


def test_why_a_job_was_refused_cannot_steer_a_terminal(scene: AtClient) -> None:
    job = scene.jobs[0]
    scene.session._handle(m.JobRefused(job._request, "no\x1b[2J" + "x" * 100_000), [])
    said = str(job._error())
    assert said.isprintable()
    assert len(said) < 2_000
