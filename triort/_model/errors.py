"""What can go wrong, by whose fault it is. All of these are exceptions that users may catch."""

import signal as signals

from triort._model.outcomes import Crash


class TriortError(Exception):
    """Base of all errors that triort raises."""


class UsageError(TriortError):
    """The caller did something that cannot work; the message says what to do instead."""


class ProtocolError(TriortError):
    """A peer sent what the protocol does not allow; it costs the peer its link."""


class ConnectionLost(TriortError):
    """The link to the cluster has ended."""


class JobRejected(TriortError):
    """The server did not take the job, or not all of it, and says why."""


class StartupError(TriortError):
    """A node could not start; no recovery is attempted."""


class AccessError(StartupError):
    """An access file is missing, or cannot be used; the message says what to do."""


class NotTrusted(ProtocolError):
    """A peer is no member of this cluster, or does not take this side for one."""


class TaskCancelled(TriortError):
    """The task that was waited for has been cancelled."""


class TaskTimeout(TriortError):
    """The task did not end within its ``timeout_s``."""


class TaskCrashed(TriortError):
    """The workers of a task died, as often as its ``crash_limit`` allows."""

    def __init__(self, task: str, crash: Crash) -> None:
        super().__init__(task, crash)
        self.task = task
        self.crash = crash

    def __str__(self) -> str:
        crash = self.crash
        if crash.workers_lost:
            text = f"task {self.task} was stopped, for its job has cost {crash.workers_lost} workers; the last one: "
            return text + f"{_describe_end(crash)}{_last_words(crash)}"
        text = f"task {self.task} crashed: {_describe_end(crash)} {_attempts(crash)}"
        if crash.memory_bytes is not None:
            text += f", using {crash.memory_bytes >> 20} MiB"
        return text + _last_words(crash)


class OutOfMemory(TaskCrashed):
    """The worker of a task went over its memory limit."""

    def __str__(self) -> str:
        crash = self.crash
        text = f"task {self.task} took too much memory: worker {crash.worker} (pid {crash.pid}) had "
        text += f"{(crash.memory_bytes or 0) >> 20} MiB and was killed {_attempts(crash)}"
        return text + _last_words(crash)


class RemoteError(TriortError):
    """An exception that could not travel as itself: ``type_name``, capped ``text`` and the remote ``traceback``."""

    def __init__(self, type_name: str, text: str, traceback: str = "") -> None:
        super().__init__(type_name, text, traceback)
        self.type_name = type_name
        self.text = text
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.type_name}: {self.text}" if self.text else self.type_name


class RemoteTraceback(TriortError):
    """The cause of an exception that came from another process: its text is the traceback there."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}" if self.args else ""


class TaskInterrupted(BaseException):
    """Raised in the user's frame when a task on the CPU is cancelled; let it pass."""


def _describe_end(crash: Crash) -> str:
    if crash.signal is not None:
        how = f"signal {crash.signal} ({_signal_name(crash.signal)})"
    elif crash.exit_code is not None:
        how = f"exit code {crash.exit_code}"
    else:
        how = "unknown cause"
    return f"worker {crash.worker} (pid {crash.pid}) ended by {how}"


def _attempts(crash: Crash) -> str:
    return f"after {crash.attempts} attempt{'s' if crash.attempts != 1 else ''}"


def _last_words(crash: Crash) -> str:
    if not crash.stderr_tail:
        return ""
    return "; its last words:\n" + "\n".join(f"    {line}" for line in crash.stderr_tail.splitlines())


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:
        return "unknown"
