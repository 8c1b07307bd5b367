"""What an employee says that is wrong, on purpose: it costs the employee its link, or nobody anything."""

from typing import Any

import msgspec
import pytest

from tests._core.makers import BOSS, FN, JOB, Node, make_spec, outcomes, own, submit
from tests.security.scene import over_the_wire
from triort._core.employee import Employee
from triort._core.links import Link, Loss
from triort._core.node_core import Direction
from triort._core.server_core import ServerCore
from triort._model.errors import ProtocolError
from triort._model.ids import Digest, JobId
from triort._model.limits import FRAME_HEADER_BYTES_MAX, JOB_CRASHES_MAX, STATUS_ANSWER_S, STATUS_DEPTH_MAX
from triort._model.messages import (
    Blobs,
    Crashed,
    DrainReply,
    DrainRequest,
    Message,
    NodeStatus,
    Print,
    Shutdown,
    StatusReply,
    StatusRequest,
    SubmitJob,
    Update,
    Waiting,
)

OTHER = JobId(77)
LARGEST = 2**64 - 1
LEAF = NodeStatus("x", "manager", 1, 1, 1, 1, 1, done=1)


class Server:
    """A server with a client and two managers, of which one lies; the job's one task goes to the other one."""

    def __init__(self) -> None:
        self.core = ServerCore(choose=lambda name, n: 0)
        self.core.running = True
        for number, (name, workers) in enumerate((("good", 1), ("bad", 0))):
            lower = 1 + 1_000 * number
            self.core.add_employee(Employee(Link(name, name), name, "manager", lower, lower + 1_000, 1, workers))
        self.core.add_client("client", 5)
        self.submit_job()

    def submit_job(self) -> None:
        self.client(SubmitJob(1, make_spec(), 1, True, [4, 1]), b"code", b"a")

    def client(self, message: Message, *parts: bytes) -> list[tuple[object, Message]]:
        self.core.handle_message(message, Direction.CLIENT, "client", parts)
        return self.sent()

    def below(self, name: str, message: Message, *parts: bytes) -> list[tuple[object, Message]]:
        self.core.handle_message(message, Direction.BELOW, name, parts)
        return self.sent()

    def sent(self) -> list[tuple[object, Message]]:
        return [(s.conn, over_the_wire((s.message, list(s.parts)))[0]) for s in self.core.flush()]


@pytest.fixture
def server() -> Server:
    return Server()


def test_nobody_sends_blobs_of_a_job_that_it_has_no_part_in(server: Server) -> None:
    (job,) = server.core.jobs.jobs
    for each in (job, JobId(job + 2)):  # also of the next one, whose client would find them there
        with pytest.raises(ProtocolError, match="bad sent blobs of job"):
            server.below("bad", Blobs(each, [FN], [4]), b"evil")
    assert server.core.hops.blobs == {job: {FN: b"code"}}


def test_who_has_tasks_of_a_job_sends_blobs_of_it_though_that_has_ended() -> None:
    node = Node(1)
    node.above(*submit(1))
    node.core.forget(JOB)
    node.below("w0", Blobs(JOB, [FN], [4]), [b"code"])
    assert node.link("w0").known == {JOB: {FN}}


def test_an_employee_replaces_no_blob_and_a_boss_does() -> None:
    node = Node(1)
    node.below("w0", Blobs(JOB, [FN, Digest(b"new")], [4, 3]), [b"evil", b"new"])
    assert node.core.hops.blobs[JOB] == {FN: b"code", Digest(b"new"): b"new"}
    node.above(Blobs(JOB, [Digest(b"new")], [4]), [b"true"])
    assert node.core.hops.blobs[JOB][Digest(b"new")] == b"true"


def test_of_the_jobs_of_others_nobody_tells_crashes_and_prints(server: Server) -> None:
    (job,) = server.core.jobs.jobs
    said = [server.below("bad", Crashed(job, 0), b"") for _ in range(JOB_CRASHES_MAX + 1)]
    assert said == [[]] * (JOB_CRASHES_MAX + 1)
    assert server.below("bad", Print(job, "stdout", "lies")) == []
    assert server.core.jobs.jobs[job].budget is None
    assert server.below("good", Print(job, "stdout", "text")) == [("client", Print(job, "stdout", "text"))]


def test_a_child_is_of_the_job_of_its_parent() -> None:
    node = Node(1)
    node.above(*submit(1))
    node.link("w0").known[OTHER] = {FN}
    spec = msgspec.structs.replace(make_spec(), job=OTHER)
    with pytest.raises(ProtocolError, match="w0 sent a child of job 77 below a task of 1"):
        node.below("w0", *submit(own(0, 1), parents=[1], spec=spec))


def test_nobody_answers_a_request_to_drain_another(server: Server) -> None:
    assert server.client(DrainRequest(5, "good")) == [("good", DrainRequest(1, ""))]
    assert server.below("bad", DrainReply(1)) == []
    assert server.below("bad", DrainReply(1, "it does not want to")) == []
    assert server.below("good", DrainReply(1)) == [("good", Shutdown())]


def test_a_path_that_is_long_when_it_is_made_readable_is_cut() -> None:
    node = Node(1)
    ((conn, answer),) = node.above(DrainRequest(5, "\0" * 10_000))
    assert conn == BOSS
    assert isinstance(answer, DrainReply)
    assert len(answer.problem) < 300


@pytest.mark.parametrize(
    "lie", [Waiting(LARGEST, 0, LARGEST), Update(LARGEST, LARGEST), Update(-(2**63), 0), StatusReply(1, LEAF)], ids=str
)
def test_however_much_an_employee_claims_to_have_the_sums_can_be_told(server: Server, lie: Any) -> None:
    assert server.client(StatusRequest(9))[-2:] == [("good", StatusRequest(1)), ("bad", StatusRequest(1))]
    for _ in range(3):
        server.below("bad", lie)
    server.below("bad", StatusReply(1, msgspec.structs.replace(LEAF, done=LARGEST)))
    ((conn, answer),) = server.below("good", StatusReply(1, LEAF))
    assert conn == "client"
    assert isinstance(answer, StatusReply)
    assert [each.name for each in answer.status.employees] == ["good", "bad"]


def test_more_levels_than_a_status_may_have_are_left_out(server: Server) -> None:
    server.client(StatusRequest(9))
    deep = LEAF
    for _ in range(STATUS_DEPTH_MAX - 1):
        deep = msgspec.structs.replace(LEAF, employees=[deep])
    server.below("good", StatusReply(1, LEAF))
    ((_, answer),) = server.below("bad", StatusReply(1, deep))
    assert isinstance(answer, StatusReply)
    assert answer.status.employees[1] == msgspec.structs.replace(LEAF, name="bad")


def test_of_a_status_that_fits_into_no_header_the_longest_part_is_cut(server: Server) -> None:
    server.client(StatusRequest(9))
    count = FRAME_HEADER_BYTES_MAX // 22
    server.below("good", StatusReply(1, msgspec.structs.replace(LEAF, employees=[LEAF])))
    ((_, answer),) = server.below("bad", StatusReply(1, msgspec.structs.replace(LEAF, employees=[LEAF] * count)))
    assert isinstance(answer, StatusReply)
    good, bad = (len(each.employees) for each in answer.status.employees)
    assert (good, bad > count // 2) == (1, True)


def test_a_manager_that_does_not_answer_is_asked_once_and_again_when_it_has_answered(server: Server) -> None:
    server.client(StatusRequest(9))
    assert server.below("good", StatusReply(1, LEAF)) == []
    server.core.now = server.core.next_deadline()
    assert server.core.now == STATUS_ANSWER_S
    ((conn, answer),) = server.sent()
    assert conn == "client"
    assert isinstance(answer, StatusReply)
    assert [each.done for each in answer.status.employees] == [1, 0]
    for request in range(2, 2_000):  # it hears none of these, or it would take its boss for one who asks on and on
        assert server.client(StatusRequest(request)) == [("good", StatusRequest(request))]
        assert [conn for conn, _ in server.below("good", StatusReply(request, LEAF))] == ["client"]
    assert server.below("bad", StatusReply(1, LEAF)) == []
    server.client(StatusRequest(2_001))
    assert server.below("good", StatusReply(2_000, LEAF)) == []
    assert [conn for conn, _ in server.below("bad", StatusReply(2_000, LEAF))] == ["client"]


def test_a_task_that_was_said_to_be_its_own_ancestor_does_not_keep_its_node_from_going_on() -> None:
    node = Node(1)
    node.above(*submit(1))
    first, second = own(0, 1), own(0, 2)
    for address, parent in ((first, 1), (second, first)):
        node.below("w0", Waiting(1, 10))
        node.below("w0", *submit(address, parents=[parent]))
    node.below("w0", *outcomes(first))
    node.below("w0", *submit(first, parents=[second]))
    node.below("w0", Waiting(1, 10))
    assert node.link("w0").sent[first].parent == second
    node.core.handle_disconnect("w0", Loss(second, True, b""))
    assert [type(message).__name__ for _, message in node.sent()][:1] == ["Crashed"]
