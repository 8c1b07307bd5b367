"""What is known of a worker's end: how it came, and which task is to blame."""

from __future__ import annotations

import msgspec

from triort._core.links import Loss
from triort._model.ids import Address
from triort._model.outcomes import Crash
from triort._node.machine import WorkerProcess
from triort._node.page import ON_CPU, ROOT
from triort._node.spawned import WorkerExit


def blame_for(process: WorkerProcess, ended: WorkerExit, too_large_bytes: int, *, alone: bool) -> Loss | None:
    """The task that was on the CPU, or of a worker that was killed for its memory the one that was last; all others
    that it had are lost without blame."""
    words = process.page.words
    root = Address(int(words[ROOT]))
    if not (root and (words[ON_CPU] or too_large_bytes)):
        return None
    crash = Crash(
        process.name,
        ended.pid,
        ended.signal,
        ended.exit_code,
        too_large_bytes or ended.memory_bytes,
        process.last_words(),
        out_of_memory=bool(too_large_bytes),
        alone=alone,
    )
    return Loss(root, True, msgspec.msgpack.encode(crash))


def describe_end(ended: WorkerExit) -> str:
    """How the process has ended, for the log."""
    if ended.signal is not None:
        return f"signal {ended.signal}"
    return f"exit code {ended.exit_code}" if ended.exit_code is not None else "why, who has started it knows"
