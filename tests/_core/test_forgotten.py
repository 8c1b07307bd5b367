"""A peer tells of the end of a job that has tasks here still: that harms nobody but its tasks."""

from tests._core.makers import BOSS, JOB, Node, make_spec, outcomes, submit
from triort._model.ids import JobId
from triort._model.messages import Forget, Lost, Submit


def test_tasks_of_a_forgotten_job_that_nobody_can_be_told_of_are_lost() -> None:
    node = Node(1)
    node.above(*submit(1, 2, 3, 4, 5))
    node.above(Forget([JOB]))
    given = list(node.link("w0").sent)
    waiting = [address for address in (1, 2, 3, 4, 5) if address not in given]
    sent = node.below("w0", *outcomes(*given))
    lost = [message for conn, message in sent if conn == BOSS and isinstance(message, Lost)]
    assert waiting
    assert [message.addresses for message in lost] == [waiting]
    assert not any(isinstance(message, Submit) for _, message in sent)
    assert node.link("w0").sent == {}
    assert node.core.boss is not None
    assert node.core.boss.received == {}


def test_those_of_other_jobs_go_on() -> None:
    node = Node(1)
    node.above(*submit(1, 2, 3))
    other = JobId(2)
    for link in (node.core.boss, node.link("w0")):
        assert link is not None
        link.known[other] = {make_spec().function}
    node.above(Forget([other]))
    given = list(node.link("w0").sent)
    sent = node.below("w0", *outcomes(*given))
    assert [message.addresses for _, message in sent if isinstance(message, Submit)] == [
        [address for address in (1, 2, 3) if address not in given]
    ]
