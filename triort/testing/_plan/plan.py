"""The plan of one simulated run: node tree, jobs, faults with times and targets, latencies, schedule.

A seed generates a plan; from then on the plan alone says what happens. Whatever it leaves open (a delay, a choice of
the placement) is drawn by a hash of its seed and stable names, so taking one item away leaves all others as they were.

Nodes are called ``s`` (the server), ``m0``, ``m0.m1`` (managers by position), ``m0.m1.w1`` (workers, by the serial
number that their boss gives them, from 1; a server with workers of its own has ``s.w1``), ``c0`` (clients). A link is
called by its lower end. Tasks are called ``j0.2`` (item 2 of job 0), ``j0.2.1.0`` (child 0 of the batch at step 1).
"""

from __future__ import annotations

import enum

import msgspec

PLAN_VERSION = 2
CAUGHT = 1_000_003
"""What a batch counts whose failure was caught."""


class FaultKind(enum.StrEnum):
    """What can go wrong, each by name. ``target`` is a node unless said otherwise."""

    CRASH_WORKER = "crash_worker"
    """The process is gone; its boss sees its exit and replaces it."""
    CRASH_MANAGER = "crash_manager"
    """The process is gone, and its workers; its boss sees the connection break. ``for_s`` > 0: restarted so much later,
    with what it had been started with."""
    CRASH_SERVER = "crash_server"
    """``for_s`` > 0: restarted so much later."""
    JOIN_WORKER = "join_worker"
    """One more worker below the target, a node that has workers."""
    JOIN_MANAGER = "join_manager"
    """One more manager, with ``factor`` workers, below the target, a node that has managers."""
    CLOSE = "close"
    """The connection of the target to its boss is closed, by the target's side, after all that was sent. Like what
    follows, it ends the link of a worker; any other goes on over another connection, if it can be made in time."""
    CUT = "cut"
    """The connection of the target to its boss breaks: what is on its way is lost, both sides learn of it.
    ``for_s`` > 0: so long nobody gets through there, nor can connect."""
    HALF_OPEN = "half_open"
    """As CUT, but only the ``side`` ("boss" or "employee") learns of it. Not for links of workers."""
    VANISH = "vanish"
    """As CUT, but nobody learns of it: the connection takes everything and delivers nothing. Not for links of
    workers."""
    ONE_WAY = "one_way"
    """For ``for_s`` nothing gets through on the target's link towards ``side``; then all does, in order."""
    CLOG = "clog"
    """For ``for_s`` nothing gets through on the target's link in either direction; then all does, in order."""
    SLOW_NODE = "slow_node"
    """For ``for_s`` all that the target computes and handles takes ``factor`` times as long."""
    SLOW_READER = "slow_reader"
    """For ``for_s`` the target reads nothing."""
    CLOCK_OFFSET = "clock_offset"
    """The target's clock jumps by ``factor`` seconds."""
    CLOCK_DRIFT = "clock_drift"
    """The target's clock runs ``factor`` times as fast from now on."""
    CANCEL_JOB = "cancel_job"
    """The client of job ``target`` cancels it."""
    CANCEL_STORM = "cancel_storm"
    """All open jobs are cancelled at once, by all their clients."""
    CANCEL_RACE = "cancel_race"
    """Job ``target`` is cancelled at the moment at which the first outcome of it leaves a worker after ``at_s``."""
    CLIENT_DEATH = "client_death"
    """The client ``target`` is gone without a word; its link breaks."""
    DUPLICATE_CLIENT = "duplicate_client"
    """A second client comes under the name of ``target``, submits a job of its own, and leaves."""
    STALE_INCARNATION = "stale_incarnation"
    """The boss gives the manager up, which knows nothing of that, and neither hears of it nor is heard over the
    connection that they have; ``for_s`` as with CUT."""
    CORRUPT_FRAME = "corrupt_frame"
    """The next frame on the target's link, towards ``side``, cannot be read."""


class Compute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="compute"):
    """Hold the CPU (in async tasks: the slot) for so long."""

    seconds: float


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="listen"):
    """Go on only when so many messages have come from the parent in all."""

    messages: int


class Say(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="say"):
    """Print so many lines."""

    lines: int


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="batch", omit_defaults=True):
    """Submit children at once. ``how`` they are submitted and awaited changes nothing in how it ends: as with a map,
    the first that fails cancels the others."""

    children: list[Task]
    how: str = "map"
    """map: one ``rt.map``; next: one, consumed by ``rt.next``; as_completed; submit: each by itself, awaited in order
    (a failure cancels those behind it); nursery: ``triort.open_nursery``. Sync tasks use map and submit for all."""
    wait: bool = True
    """False: left open, to be cancelled when the task's function returns."""
    catch: bool = False
    """What the wait raises is caught, and the task goes on with `CAUGHT` as the batch's value."""
    cancel_after_s: float | None = None
    """The task cancels the batch after so much time (of its CPU); waiting for it raises then."""
    talk: int = 0
    """So many messages to every child, right after the submission."""
    shared: bool = False
    """A value shared by ``rt.put`` goes to every child as an argument."""
    priority: int = 0
    retries: int = 0
    timeout_s: float | None = None
    crash_limit: int = 1_000_000
    at_most_once: bool = False


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one task does. Its value is 1 plus the values of its batches."""

    name: str
    steps: list[Compute | Listen | Say | Batch]
    is_async: bool = True
    function: str = "f"
    """One of f, g, h: functions of their own, with their own digests and costs."""
    fails: int = 0
    """So many tries raise at their end; -1: all do."""
    poison: int = 0
    """So many tries kill their worker, at their end; -1: all do."""
    stubborn: bool = False
    """Ignores its cancel (a sync task swallows the interrupt) until it is killed, or its steps are over."""


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A job: its client, when it is submitted, and one task for each item."""

    name: str
    items: list[Task]
    client: str = "c0"
    at_s: float = 0.0
    priority: int = 0
    retries: int = 0
    timeout_s: float | None = None
    crash_limit: int = 1_000_000
    at_most_once: bool = False


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fault; see `FaultKind`. One whose target is not there (any more) misses, which is no error."""

    at_s: float
    kind: FaultKind
    target: str
    for_s: float = 0.0
    factor: float = 1.0
    side: str = ""


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole run."""

    version: int
    seed: int
    tree: list[int]
    """Fan-out by level, workers last: [3, 4] is three managers of four workers; [2] a server with two workers."""
    jobs: list[Job]
    faults: list[Fault] = []
    latency: list[str] = []
    """A class of `LATENCIES` for each level of links, client links first; the last one also for all below."""
    buggify: dict[str, float] = {}
    """How often each named point of the product goes its rare way, 0 to 1."""
    schedule: str = "random"
    """How trio's ready tasks are ordered (tier 2): random, fifo, pct, or script."""
    script: dict[int, list[int]] = {}
    """For ``script``: the order of the batches of ready tasks that deviate from fifo, by number."""
    journal: bool = False
    """Whether the server keeps one."""
    heal_s: float = 60.0
    """After the last fault and job: how long all may take to end, in virtual seconds."""
    found: str = ""
    """The version of triort that it was found on, for plans that are kept."""
    test: str = ""
    """The test that was made by `triort.testing.sim_test` and has this plan: its load is in the test, not here."""


LATENCIES: dict[str, tuple[float, float]] = {
    "memory": (0.0, 0.0),
    "local": (2e-5, 6e-5),
    "lan": (1e-4, 5e-4),
    "wan": (5e-3, 5e-2),
    "tail": (1e-4, 2e-1),
}
"""From and to, in seconds, drawn evenly; ``tail`` is drawn so that few are long."""
