"""Log records of BQSKit's tasks, by BQSKit's rules.

While a task is on the CPU the root logger has the level of its compilation, or one above all if the task has too many
ancestors. Every record that is made then goes to the client, whichever logger it is of and whatever that does with it;
only those of ``bqskit.runtime`` stay. If the compilation wants debug records, worker and context stand behind the text.

The way to the client is that of all records of triort's tasks.
"""

from __future__ import annotations

import logging
from typing import Any

from triort._node.output import log_message
from triort.bridges.bqskit._state import TaskState, current_state

NOT_BY_TRIORT = 1_000
"""The level up to which triort's own handler leaves a job's records alone."""


def set_level(level: int) -> int:
    """Set that of the root logger, and return what it was; to set it costs a few microseconds."""
    before = logging.root.level
    if before != level:
        logging.root.setLevel(level)
    return before


def take_over_records() -> None:
    """From now on the records of BQSKit's tasks in this process go to their clients."""
    make_plainly = logging.getLogRecordFactory()

    def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make_plainly(*args, **kwargs)
        state = current_state()
        if state is not None and record.levelno >= state.setup.level and not record.name.startswith("bqskit.runtime"):
            _send(state, record)
        return record

    logging.setLogRecordFactory(make_record)


def _send(state: TaskState, record: logging.LogRecord) -> None:
    spec = state.running.attempt.spec
    if state.setup.level <= logging.DEBUG:
        context = "".join(f", {key}={value}" for key, value in spec.options.log_context.items())
        suffix = f" [wid={state.worker.core.node_id}{context}]"
        record.msg = f"{record.msg}{suffix.replace('%', '%%') if record.args else suffix}"
    state.worker.output.log(log_message(spec, record))
