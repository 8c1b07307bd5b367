"""The protocol: every message that travels between nodes, in the order in which a link sees them.

A message is a typed header; what users have pickled travels beside it as opaque *parts*, whose lengths are in the
field ``sizes`` (or ``size``). Columns stand for batches: entry *i* of each list belongs to task *i*.
"""

import msgspec

from triort._model.ids import Address, Digest, JobId
from triort._model.job_messages import (
    AttachJob as AttachJob,
)
from triort._model.job_messages import (
    CancelJob as CancelJob,
)
from triort._model.job_messages import (
    JobAccepted as JobAccepted,
)
from triort._model.job_messages import (
    JobEnded as JobEnded,
)
from triort._model.job_messages import (
    JobOutcomes as JobOutcomes,
)
from triort._model.job_messages import (
    JobRefused as JobRefused,
)
from triort._model.job_messages import (
    ReleaseJob as ReleaseJob,
)
from triort._model.job_messages import (
    SubmitJob as SubmitJob,
)
from triort._model.link_messages import (
    Beat as Beat,
)
from triort._model.link_messages import (
    Bye as Bye,
)
from triort._model.link_messages import (
    Hello as Hello,
)
from triort._model.link_messages import (
    Refuse as Refuse,
)
from triort._model.link_messages import (
    Started as Started,
)
from triort._model.link_messages import (
    Welcome as Welcome,
)
from triort._model.message import (
    Message as Message,
)
from triort._model.message import (
    Options as Options,
)
from triort._model.message import (
    TaskSpec as TaskSpec,
)
from triort._model.node_messages import (
    DrainReply as DrainReply,
)
from triort._model.node_messages import (
    DrainRequest as DrainRequest,
)
from triort._model.node_messages import (
    Shutdown as Shutdown,
)
from triort._model.node_messages import (
    StatusReply as StatusReply,
)
from triort._model.node_messages import (
    StatusRequest as StatusRequest,
)
from triort._model.node_messages import (
    SystemError_ as SystemError_,
)
from triort._model.status import NodeStatus as NodeStatus

PROTOCOL_VERSION = 3


# -- tasks -------------------------------------------------------------------------------------------------------


class Blobs(Message, tag=10):
    """Pickled functions and shared values of a job, by digest; sent once per link, before the first task that needs
    them."""

    job: JobId
    digests: list[Digest]
    sizes: list[int]


class TaskBatch(Message):
    """Tasks to place: task *i* is ``specs[spec_of[i]]`` with part *i* as its arguments. On their way up, ``parents[i]``
    is its nearest ancestor among the tasks that were given over this link."""

    batch: int
    specs: list[TaskSpec]
    addresses: list[Address]
    spec_of: list[int]
    sizes: list[int]
    seconds_left: dict[int, float] = msgspec.field(default_factory=dict)
    parents: list[Address] = msgspec.field(default_factory=list)
    alone: list[int] = msgspec.field(default_factory=list)
    """Indices of tasks that are suspected of killing workers: each runs alone on a fresh one."""


class Submit(TaskBatch, tag=11):
    """New tasks, downwards to run or upwards to be placed elsewhere."""


class Returned(TaskBatch, tag=12):
    """Tasks given earlier over this link, not started, handed back."""


class Outcomes(Message, tag=13):
    """Tasks given over this link have ended; ``durations_us`` is the time that each held its slot."""

    batch: int
    addresses: list[Address]
    kinds: list[int]
    durations_us: list[int]
    sizes: list[int]


class Lost(Message, tag=14):
    """Attempts that nobody can answer any more; ``blamed[i]`` tells whether it was on the CPU of a worker that died,
    part *i* is a `Crash` or empty. ``beside`` has the indices of those whose worker died by one below them."""

    addresses: list[Address]
    blamed: list[bool]
    sizes: list[int]
    beside: list[int] = msgspec.field(default_factory=list)


class Cancel(Message, tag=15):
    """Stop these tasks and answer for each; unknown ones are ignored."""

    addresses: list[Address]


class Talk(Message, tag=16):
    """A message from a task to its child; the part is the pickled message."""

    address: Address
    size: int


class Forget(Message, tag=17):
    """These jobs have ended: drop their blobs."""

    jobs: list[JobId]


class Crashed(Message, tag=18):
    """A task of this job was on the CPU of a worker when it died; the part is a `Crash`. Goes up to the server, which
    counts."""

    job: JobId
    size: int


# -- flow --------------------------------------------------------------------------------------------------------


class Waiting(Message, tag=20):
    """How many workers are idle below, as of the boss's batch ``receipt``, of ``workers`` in all (-1: as before)."""

    idle: int
    receipt: int
    workers: int = -1


class Update(Message, tag=21):
    """The number of tasks below that were submitted there has changed by ``task_diff``; ``backlog`` of those that the
    boss has given have found no place. ``is_answer``: to the last recall, which is over."""

    task_diff: int
    backlog: int
    is_answer: bool = False


class Want(Message, tag=22):
    """The boss takes ``credit`` more new tasks from below (or less, if it is negative; what has been offered meanwhile
    counts), and wants ``recall`` unstarted ones handed back now."""

    credit: int
    recall: int = 0


# -- talk --------------------------------------------------------------------------------------------------------


class Print(Message, tag=30):
    """Text that a task has written to its stdout or stderr."""

    job: JobId
    stream: str
    text: str


class Log(Message, tag=31):
    """A log record of a task."""

    job: JobId
    logger: str
    level: int
    text: str
    created: float
    path: str
    line: int
    function: str
    exception: str | None
    task_name: str
    context: dict[str, str]
    level_name: str = ""
    """What the level is called there."""


class Chunk(Message, tag=60):
    """A piece of a part too large for one frame; the pieces of a part precede the message that it belongs to."""

    size: int


class Loan(Message, tag=61):
    """A part that lies in shared memory, whose descriptor comes with this frame; otherwise as a piece."""

    size: int


AnyMessage = (
    Hello | Welcome | Refuse | Started | Beat | Bye
    | Blobs | Submit | Returned | Outcomes | Lost | Cancel | Talk | Forget | Crashed
    | Waiting | Update | Want | Print | Log
    | SubmitJob | JobAccepted | JobOutcomes | JobEnded | CancelJob | AttachJob | JobRefused | ReleaseJob
    | StatusRequest | StatusReply | Shutdown | SystemError_ | DrainRequest | DrainReply | Chunk | Loan
)  # fmt: skip

Parts = list[bytes]
Received = tuple[Message, Parts]
