"""The messages between a client and its server."""

from triort._model.ids import JobId
from triort._model.message import Message, TaskSpec


class SubmitJob(Message, tag=40):
    """A client's job: one root task for each part, after ``blobs`` parts that are the blobs of its spec (the function
    first). ``request`` is the client's own number for it; until ``last`` is set, more messages with this number add
    items to it."""

    request: int
    spec: TaskSpec
    blobs: int
    last: bool
    sizes: list[int]
    single: bool = False
    """Whether its client waits for one value (`Client.run`) and not for a list of them."""
    detached: bool = False
    """Whether it outlives its client."""


class JobAccepted(Message, tag=41):
    """The server has taken the job, or has it already (`AttachJob`)."""

    request: int
    job: JobId
    num_items: int = -1
    """Of a job that is attached to; -1: as its client knows."""
    name: str = ""
    single: bool = False


class JobOutcomes(Message, tag=42):
    """Items of a job have ended."""

    job: JobId
    indices: list[int]
    kinds: list[int]
    sizes: list[int]


class JobEnded(Message, tag=43):
    """All items of the job have ended; nothing of it is left anywhere."""

    job: JobId


class CancelJob(Message, tag=44):
    """The client does not want the job ``request`` any more; answered by `JobEnded`."""

    request: int


class AttachJob(Message, tag=45):
    """A client wants the outcomes of a job that is there already, all of them; answered as `SubmitJob`, or refused."""

    request: int
    job: JobId


class JobRefused(Message, tag=46):
    """The server does not take the job, or does not know it."""

    request: int
    reason: str


class ReleaseJob(Message, tag=47):
    """The client has heard of the job's end and of all its outcomes: the server may forget it."""

    job: JobId
