"""What a decoded header must fulfil beyond its types, so that nobody behind the parser has to ask again.

The decoder has checked types. Here are the rules between fields: columns are as long as each other, indices point to
something, ids are in range. Each message type has one function; types without an entry have no such rules.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from triort._model.errors import ProtocolError
from triort._model.ids import NODE_ID_LIMIT
from triort._model.limits import (
    CHUNK_BYTES,
    DIGEST_BYTES_MAX,
    JOB_ITEMS_MAX,
    LOG_CHARS_MAX,
    NAME_CHARS_MAX,
    PAYLOAD_BYTES_MAX,
    SPEC_BLOBS_BYTES_MAX,
    STATUS_DEPTH_MAX,
    STATUS_TEXT_CHARS_MAX,
    TEXT_CHARS_MAX,
)
from triort._model.messages import (
    AttachJob,
    Beat,
    Blobs,
    Cancel,
    Chunk,
    Crashed,
    DrainReply,
    DrainRequest,
    Forget,
    Hello,
    JobAccepted,
    JobEnded,
    JobOutcomes,
    Loan,
    Lost,
    Message,
    Outcomes,
    Print,
    ReleaseJob,
    Returned,
    Started,
    StatusReply,
    Submit,
    SubmitJob,
    Talk,
    TaskBatch,
    TaskSpec,
    Welcome,
)
from triort._model.messages import Log as LogMessage
from triort._model.outcomes import OutcomeKind

_ID_LIMIT = 2**63
_KINDS = frozenset(int(kind) for kind in OutcomeKind)


def check_message(message: Message) -> None:
    """Raise `ProtocolError` if the fields of a decoded message contradict each other or name impossible ids."""
    check = _CHECKS.get(type(message))
    if check is not None:
        check(message)


def _fail(message: Message, what: str) -> ProtocolError:
    return ProtocolError(f"{type(message).__name__}: {what}")


def _check_ids(message: Message, ids: Sequence[int]) -> None:
    if ids and (min(ids) < 0 or max(ids) >= _ID_LIMIT):
        raise _fail(message, "an id is out of range")


def _check_columns(message: Message, length: int, *columns: Sequence[object]) -> None:
    for column in columns:
        if len(column) != length:
            raise _fail(message, "columns of unequal length")


def _check_spec(message: Message, spec: TaskSpec) -> None:
    _check_ids(message, (spec.job, spec.depth))
    options = spec.options
    if options.timeout_s is not None and math.isnan(options.timeout_s):
        raise _fail(message, "a timeout is not a number")
    _check_digest(message, spec.function)
    if spec.blobs:
        if sum(map(len, spec.blobs)) + 2 * len(spec.blobs) > SPEC_BLOBS_BYTES_MAX:
            raise _fail(message, "too many values for one task")
        _check_digest(message, max(spec.blobs, key=len))
    if len(spec.function_name) > NAME_CHARS_MAX or len(options.name or "") > NAME_CHARS_MAX:
        raise _fail(message, f"a name of more than {NAME_CHARS_MAX} characters")
    if options.log_context and _length_of(options.log_context) > TEXT_CHARS_MAX:
        raise _fail(message, f"a context of more than {TEXT_CHARS_MAX} characters")


def _check_digest(message: Message, digest: bytes) -> None:
    """Who passes it on packs as many into a message as they have parts."""
    if len(digest) > DIGEST_BYTES_MAX:
        raise _fail(message, f"a digest of more than {DIGEST_BYTES_MAX} bytes")


def _length_of(context: dict[str, str]) -> int:
    return sum(map(len, context)) + sum(map(len, context.values()))


def _check_tasks(message: TaskBatch) -> None:
    addresses, spec_of = message.addresses, message.spec_of
    _check_columns(message, len(message.sizes), addresses, spec_of)
    _check_ids(message, addresses)
    if spec_of and (min(spec_of) < 0 or max(spec_of) >= len(message.specs)):
        raise _fail(message, "an index of a spec is out of range")
    for spec in message.specs:
        _check_spec(message, spec)
    _check_indices(message, message.alone, len(addresses))
    for index, seconds in message.seconds_left.items():
        if not 0 <= index < len(addresses) or math.isnan(seconds):
            raise _fail(message, "a deadline is out of range")


def _check_indices(message: Message, indices: list[int], length: int) -> None:
    if any(not 0 <= index < length for index in indices):
        raise _fail(message, "an index of a task is out of range")


def _check_kinds(message: Message, kinds: list[int]) -> None:
    if not _KINDS.issuperset(kinds):
        raise _fail(message, "an unknown kind of outcome")


def _check_outcomes(message: Outcomes) -> None:
    _check_columns(message, len(message.sizes), message.addresses, message.kinds, message.durations_us)
    _check_ids(message, message.addresses)
    _check_kinds(message, message.kinds)
    if message.durations_us and min(message.durations_us) < 0:
        raise _fail(message, "a negative duration")


def _check_lost(message: Lost) -> None:
    _check_columns(message, len(message.sizes), message.addresses, message.blamed)
    _check_ids(message, message.addresses)
    _check_indices(message, message.beside, len(message.addresses))


def _check_forget(message: Forget) -> None:
    _check_ids(message, message.jobs)


def _check_submit_job(message: SubmitJob) -> None:
    _check_spec(message, message.spec)
    if not 0 <= message.blobs <= len(message.sizes):
        raise _fail(message, "more blobs than parts")


def _check_job_outcomes(message: JobOutcomes) -> None:
    _check_columns(message, len(message.sizes), message.indices, message.kinds)
    _check_ids(message, (message.job,))
    _check_ids(message, message.indices)
    _check_kinds(message, message.kinds)


def _check_blobs(message: Blobs) -> None:
    _check_columns(message, len(message.sizes), message.digests)
    _check_ids(message, (message.job,))
    if message.digests:
        _check_digest(message, max(message.digests, key=len))


def _check_log(message: LogMessage) -> None:
    """It is passed on, and may grow by some bytes: what its sender has left out is written then."""
    _check_job(message)
    texts = message.logger, message.text, message.path, message.function, message.exception or "", message.task_name
    if sum(map(len, texts)) + len(message.level_name) + _length_of(message.context) > LOG_CHARS_MAX:
        raise _fail(message, f"more than {LOG_CHARS_MAX} characters")


def _check_drain(message: DrainRequest) -> None:
    if len(message.node) > TEXT_CHARS_MAX:
        raise _fail(message, "a path that leads nowhere")


def _check_drained(message: DrainReply) -> None:
    if len(message.problem) > TEXT_CHARS_MAX:
        raise _fail(message, "a problem that nobody reads")


def _check_job(
    message: Print | LogMessage | JobAccepted | JobEnded | Crashed | AttachJob | ReleaseJob,
) -> None:
    _check_ids(message, (message.job,))


def _check_accepted(message: JobAccepted) -> None:
    _check_job(message)
    if message.num_items > JOB_ITEMS_MAX:
        raise _fail(message, f"{message.num_items} items, {JOB_ITEMS_MAX} are allowed")


def _check_hello(message: Hello) -> None:
    _check_range(message)
    _check_ids(message, (message.session, message.received, message.client))


def _check_welcome(message: Welcome) -> None:
    _check_range(message)
    _check_ids(message, (message.received,))
    if not 0 <= message.node_id < NODE_ID_LIMIT:
        raise _fail(message, "an id is out of range")


def _check_range(message: Hello | Welcome) -> None:
    if not 0 <= message.lower_id <= message.upper_id <= NODE_ID_LIMIT:
        raise _fail(message, "an impossible id range")


def _check_started(message: Started) -> None:
    if message.num_workers < 0:
        raise _fail(message, "a negative number of workers")


def _check_status(message: StatusReply) -> None:
    level = [message.status]
    for _ in range(STATUS_DEPTH_MAX):
        texts = [text for node in level for text in (node.name, node.kind, node.running, node.state)]
        if max(map(len, texts)) > STATUS_TEXT_CHARS_MAX:
            raise _fail(message, f"a text of more than {STATUS_TEXT_CHARS_MAX} characters")
        level = [employee for node in level for employee in node.employees]
        if not level:
            return
    raise _fail(message, f"a tree of more than {STATUS_DEPTH_MAX} levels")


def _check_chunk(message: Chunk) -> None:
    if not 0 < message.size <= CHUNK_BYTES:
        raise _fail(message, "a size out of range")


def _check_loan(message: Loan) -> None:
    if not 0 < message.size <= PAYLOAD_BYTES_MAX:
        raise _fail(message, "a size out of range")


_CHECKS: dict[type[Message], Callable[[Any], None]] = {
    Hello: _check_hello,
    Welcome: _check_welcome,
    Started: _check_started,
    Beat: lambda message: _check_ids(message, (message.received,)),
    Blobs: _check_blobs,
    Submit: _check_tasks,
    Returned: _check_tasks,
    Outcomes: _check_outcomes,
    Lost: _check_lost,
    Cancel: lambda message: _check_ids(message, message.addresses),
    Talk: lambda message: _check_ids(message, (message.address,)),
    Forget: _check_forget,
    Crashed: _check_job,
    AttachJob: _check_job,
    ReleaseJob: _check_job,
    Print: _check_job,
    LogMessage: _check_log,
    SubmitJob: _check_submit_job,
    JobAccepted: _check_accepted,
    JobOutcomes: _check_job_outcomes,
    JobEnded: _check_job,
    StatusReply: _check_status,
    DrainRequest: _check_drain,
    DrainReply: _check_drained,
    Chunk: _check_chunk,
    Loan: _check_loan,
}
