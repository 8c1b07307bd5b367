"""Faults in sentences, steps and options of tasks in a few words each."""

from __future__ import annotations

from triort.testing._plan.plan import Batch, Compute, Fault, FaultKind, Job, Listen, Say, Task
from triort.testing._report.hierarchy import boss_of
from triort.testing._report.words import counted, exact, span

CRASH_LIMIT = Job("", []).crash_limit
"""Not worth a word."""

SENTENCES = {
    FaultKind.CRASH_WORKER: "worker {target} is killed",
    FaultKind.CRASH_MANAGER: "manager {target} is killed, with its workers{restart}",
    FaultKind.CRASH_SERVER: "the server is killed{restart}",
    FaultKind.JOIN_WORKER: "one more worker joins {target}",
    FaultKind.JOIN_MANAGER: "one more manager, of {workers}, joins {target}",
    FaultKind.CLOSE: "{target} closes its connection to {boss} in order",
    FaultKind.CUT: "the connection of {target} to {boss} is cut{parted}",
    FaultKind.HALF_OPEN: "the connection of {target} to {boss} is cut, and only {near} learns of it{parted}",
    FaultKind.VANISH: "the connection of {target} to {boss} delivers nothing any more, and nobody learns of it{parted}",
    FaultKind.ONE_WAY: "nothing gets through from {target} to {boss}, or back, towards {near}{time}",
    FaultKind.CLOG: "nothing gets through between {target} and {boss}{time}",
    FaultKind.SLOW_NODE: "{target} takes {factor} times as long for everything{time}",
    FaultKind.SLOW_READER: "{target} reads nothing{time}",
    FaultKind.CLOCK_OFFSET: "the clock of {target} jumps by {factor} s",
    FaultKind.CLOCK_DRIFT: "the clock of {target} runs {factor} times as fast from now on",
    FaultKind.CANCEL_JOB: "the client of job {target} cancels it",
    FaultKind.CANCEL_STORM: "all open jobs are cancelled at once",
    FaultKind.CANCEL_RACE: "from now on: job {target} is cancelled as its next outcome leaves a worker",
    FaultKind.CLIENT_DEATH: "client {target} is gone without a word",
    FaultKind.DUPLICATE_CLIENT: "a second client comes under the name of {target}, with a job of its own",
    FaultKind.STALE_INCARNATION: "{target} is given up by {boss}, and does not know{parted}",
    FaultKind.CORRUPT_FRAME: "the next frame between {target} and {boss} towards {near} cannot be read",
}


def fault_sentence(fault: Fault) -> str:
    """What a fault does, without its time."""
    boss = boss_of(fault.target) or "s"
    if fault.kind is FaultKind.ONE_WAY:
        ends = (fault.target, boss) if fault.side == "boss" else (boss, fault.target)
        return f"nothing gets through from {ends[0]} to {ends[1]} for {span(fault.for_s)}"
    return SENTENCES[fault.kind].format(
        target=fault.target,
        boss=boss,
        near=boss if fault.side == "boss" else fault.target,
        factor=f"{fault.factor:g}",
        workers=counted(int(fault.factor), "worker"),
        time=f" for {span(fault.for_s)}",
        parted=f"; nobody gets through there for {span(fault.for_s)}" if fault.for_s else "",
        restart=f"; restarted after {span(fault.for_s)}" if fault.for_s else "",
    )


def fault_line(fault: Fault) -> str:
    """A fault as an entry of a time line."""
    return f"at {exact(fault.at_s)} s: {fault_sentence(fault)}"


def options_of(item: Job | Batch) -> list[str]:
    """What a job or a batch asks for beyond the ordinary."""
    words = []
    if item.priority:
        words.append(f"priority {item.priority}")
    if item.retries:
        words.append(counted(item.retries, "retry"))
    if item.timeout_s is not None:
        words.append(f"timeout {span(item.timeout_s)}")
    if item.crash_limit != CRASH_LIMIT:
        words.append(f"crash limit {item.crash_limit}")
    if item.at_most_once:
        words.append("at most once")
    return words


def step_words(step: Compute | Listen | Say | Batch) -> str:
    """One step of a task."""
    match step:
        case Compute():
            return f"compute {span(step.seconds)}"
        case Listen():
            return f"listen until {counted(step.messages, 'message')}"
        case Say():
            return f"say {counted(step.lines, 'line')}"
        case Batch():
            return ", ".join([f"{step.how} of {len(step.children)}", *batch_words(step), *options_of(step)])


def batch_words(batch: Batch) -> list[str]:
    """What is special about a batch, but for its options."""
    words = [] if batch.wait else ["left open"]
    if batch.catch:
        words.append("errors caught")
    if batch.cancel_after_s is not None:
        words.append(f"cancelled after {span(batch.cancel_after_s)}")
    if batch.talk:
        words.append(f"{counted(batch.talk, 'message')} to each")
    if batch.shared:
        words.append("a shared value")
    return words


def task_words(task: Task) -> str:
    """A task without its name and children: its function, what is wrong with it, and its steps if none is a batch."""
    words = [task.function if task.is_async else f"{task.function} (sync)"]
    if task.fails:
        words.append(tries(task.fails, "fails"))
    if task.poison:
        words.append(tries(task.poison, "kills its worker"))
    if task.stubborn:
        words.append("ignores its cancel")
    if not any(isinstance(step, Batch) for step in task.steps):
        words += [step_words(step) for step in task.steps]
    return ", ".join(words)


def tries(number: int, verb: str) -> str:
    """How often something goes wrong."""
    if number < 0:
        return f"always {verb}"
    return f"{verb} once" if number == 1 else f"{verb} {number} times"
