"""The protocol: every message that travels between nodes, in the order in which a link sees them.

A message is a typed header; what users have pickled travels beside it as opaque *parts*, whose lengths are in the
field ``sizes`` (or ``size``). Columns stand for batches: entry *i* of each list belongs to task *i*.
"""

import msgspec

from triort._model.ids import Address, Digest, JobId
from triort._model.limits import CRASH_LIMIT
from triort._model.status import NodeStatus as NodeStatus

PROTOCOL_VERSION = 1


class Options(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a user may ask for a task beyond its function and arguments."""

    name: str | None = None
    log_context: dict[str, str] = {}
    timeout_s: float | None = None
    crash_limit: int = CRASH_LIMIT
    at_most_once: bool = False
    retries: int = 0
    priority: int = 0


class TaskSpec(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the tasks of one ``submit`` or ``map`` have in common."""

    job: JobId
    function: Digest
    function_name: str
    depth: int
    options: Options
    blobs: tuple[Digest, ...] = ()
    log_level: int = 30


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all messages."""


# -- handshake ---------------------------------------------------------------------------------------------------


class Hello(Message, tag=1):
    """The dialler's first word. ``role`` is boss, client, worker or status."""

    protocol: int
    version: str
    python: str
    cluster: str
    role: str
    name: str
    lower_id: int = 0
    upper_id: int = 0
    pid: int = 0


class Welcome(Message, tag=2):
    """The listener lets the dialler in."""

    protocol: int
    version: str
    python: str
    cluster: str
    name: str
    node_id: int = 0


class Refuse(Message, tag=3):
    """The listener does not; the link ends."""

    reason: str


class Started(Message, tag=4):
    """An employee is ready, with so many workers in all."""

    num_workers: int
    name: str
    pid: int


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
    seconds_left: dict[int, float] = {}
    parents: list[Address] = []


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
    part *i* is a `Crash` or empty."""

    addresses: list[Address]
    blamed: list[bool]
    sizes: list[int]


class Cancel(Message, tag=15):
    """Stop these tasks and answer for each; unknown ones are ignored."""

    addresses: list[Address]


class Talk(Message, tag=16):
    """A message from a task to its child; the part is the pickled message."""

    address: Address
    size: int


class Forget(Message, tag=17):
    """A job has ended: drop its blobs."""

    job: JobId


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
    """The boss takes ``credit`` more new tasks from below, and wants ``recall`` unstarted ones handed back now."""

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


# -- clients -----------------------------------------------------------------------------------------------------


class SubmitJob(Message, tag=40):
    """A client's job: one root task for each part, after ``blobs`` parts that are the blobs of its spec (the function
    first). ``request`` is the client's own number for it; until ``last`` is set, more messages with this number add
    items to it."""

    request: int
    spec: TaskSpec
    blobs: int
    last: bool
    sizes: list[int]


class JobAccepted(Message, tag=41):
    """The server has taken the job."""

    request: int
    job: JobId


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


# -- nodes -------------------------------------------------------------------------------------------------------


class StatusRequest(Message, tag=50):
    """Asks for the state of the node tree below."""

    request: int


class StatusReply(Message, tag=51):
    """The answer."""

    request: int
    status: NodeStatus


class Shutdown(Message, tag=52):
    """The boss ends; so does everything below."""


class SystemError_(Message, tag=53):
    """A node has failed in its own code; for the log of those above."""

    node: str
    text: str


class Chunk(Message, tag=60):
    """A piece of a part too large for one frame; the pieces of a part precede the message that it belongs to."""

    size: int


AnyMessage = (
    Hello | Welcome | Refuse | Started | Blobs | Submit | Returned | Outcomes | Lost | Cancel | Talk | Forget
    | Waiting | Update | Want | Print | Log | SubmitJob | JobAccepted | JobOutcomes | JobEnded | CancelJob
    | StatusRequest | StatusReply | Shutdown | SystemError_ | Chunk
)  # fmt: skip

Parts = list[bytes]
Received = tuple[Message, Parts]
