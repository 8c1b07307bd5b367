"""A server that says what makes no sense: its client gets a readable error, and neither hangs nor fills its memory."""

from __future__ import annotations

import random

import pytest

from tests.security.at_client import AtClient
from triort._client.jobs import Job
from triort._model import messages as m
from triort._model.errors import ProtocolError, TaskCancelled
from triort._model.ids import JobId
from triort._model.limits import JOB_ITEMS_MAX
from triort._model.outcomes import OutcomeKind
from triort._model.roles import Place
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
