"""One message of every type, and short words to make some."""

from triort._model import messages as m
from triort._model.ids import Address, Digest, JobId

SPEC = m.TaskSpec(JobId(1), Digest(b"f" * 16), "f", 1, m.Options(name="n", timeout_s=1.5))


def submit(*parts: bytes) -> m.Received:
    addresses = [Address(9 << 33 | i) for i in range(len(parts))]
    message = m.Submit(3, [SPEC], addresses, [0] * len(parts), [len(p) for p in parts])
    return message, list(parts)


def talk(part: bytes) -> m.Received:
    return m.Talk(Address(5), len(part)), [part]


EVERY_MESSAGE: list[m.Received] = [
    (m.Hello(1, "1", "3.11", "c", "worker", "w", 1, 2, 3), []),
    (m.Welcome(1, "1", "3.11", "c", "boss", 7), []),
    (m.Refuse("no"), []),
    (m.Started(4, "w", 5), []),
    (m.Beat(3), []),
    (m.Bye("over"), []),
    (m.Blobs(JobId(1), [Digest(b"d")], [3]), [b"abc"]),
    submit(b"", b"a", b"bc"),
    (m.Returned(1, [SPEC], [Address(2)], [0], [1], {0: 2.5}), [b"x"]),
    (m.Outcomes(1, [Address(2), Address(3)], [0, 4], [5, 0], [1, 0]), [b"v", b""]),
    (m.Lost([Address(2)], [True], [2]), [b"cr"]),
    (m.Lost([Address(2)], [False], [0], [0]), [b""]),
    (m.Cancel([Address(2)]), []),
    talk(b"hello"),
    (m.Forget([JobId(1), JobId(2)]), []),
    (m.Crashed(JobId(1), 2), [b"cr"]),
    (m.Waiting(1, 2), []),
    (m.Update(-1, 2), []),
    (m.Want(1), []),
    (m.Print(JobId(1), "stdout", "text"), []),
    (m.Log(JobId(1), "l", 20, "text", 1.5, "p", 3, "f", None, "t", {"a": "b"}, "INFO"), []),
    (m.SubmitJob(1, SPEC, 1, True, [2, 0]), [b"ab", b""]),
    (m.JobAccepted(1, JobId(2)), []),
    (m.JobOutcomes(JobId(2), [0], [1], [1]), [b"e"]),
    (m.JobEnded(JobId(2)), []),
    (m.CancelJob(JobId(2)), []),
    (m.AttachJob(1, JobId(2)), []),
    (m.JobRefused(1, "no"), []),
    (m.ReleaseJob(JobId(2)), []),
    (m.StatusRequest(1), []),
    (m.StatusReply(1, m.NodeStatus("a", "k", 1, 2, 3, 4, 5, employees=[m.NodeStatus("b", "w", 1, 1, 1, 0, 0)])), []),
    (m.Shutdown(), []),
    (m.SystemError_("n", "t"), []),
    (m.DrainRequest(1, "m1"), []),
    (m.DrainReply(1, "no"), []),
]  # fmt: skip
