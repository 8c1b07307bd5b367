"""What others pass on must fit into their messages, too: so its texts and digests have a bound of their own."""

from typing import Any

import msgspec
import pytest

from tests._wire.every_message import SPEC
from triort._core.packing import SPECS_BYTES_MAX, header_size
from triort._model import messages as m
from triort._model.errors import ProtocolError, UsageError
from triort._model.ids import Digest, JobId
from triort._model.limits import (
    DIGEST_BYTES_MAX,
    LOG_CHARS_MAX,
    NAME_CHARS_MAX,
    REFS_MAX,
    STATUS_TEXT_CHARS_MAX,
    TEXT_CHARS_MAX,
)
from triort._wire import payload
from triort._wire.checks import check_message

JOB = JobId(1)
LONG = "x" * (NAME_CHARS_MAX + 1)
DIGEST = Digest(bytes(DIGEST_BYTES_MAX + 1))
LOG = m.Log(JOB, "", 1, "x" * (LOG_CHARS_MAX + 1), 0.0, "", 1, "", None, "", {})
STATUS = m.NodeStatus("x" * (STATUS_TEXT_CHARS_MAX + 1), "manager", 1, 1, 1, 1, 1)


def job(**changes: Any) -> m.SubmitJob:
    return m.SubmitJob(1, msgspec.structs.replace(SPEC, **changes), 0, True, [])


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (job(function=DIGEST), "a digest of more than 64 bytes"),
        (job(blobs=(Digest(b"d"), DIGEST)), "a digest of more than 64 bytes"),
        (job(blobs=(Digest(bytes(16)),) * 40_000), "too many values for one task"),
        (job(function_name=LONG), "a name of more than 200 characters"),
        (job(options=m.Options(name=LONG)), "a name of more than 200 characters"),
        (job(options=m.Options(log_context={"k": "x" * TEXT_CHARS_MAX})), "a context of more than 10000 characters"),
        (m.Blobs(JOB, [DIGEST], [1]), "a digest of more than 64 bytes"),
        (LOG, "more than 100000 characters"),
        (m.StatusReply(1, m.NodeStatus("m", "manager", 1, 1, 1, 1, 1, employees=[STATUS])), "a text of more than 400"),
        (m.DrainRequest(1, "x" * (TEXT_CHARS_MAX + 1)), "a path that leads nowhere"),
        (m.DrainReply(1, "x" * (TEXT_CHARS_MAX + 1)), "a problem that nobody reads"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_could_outgrow_a_header_on_its_way_is_not_taken(message: m.Message, fault: str) -> None:
    with pytest.raises(ProtocolError, match=fault):
        check_message(message)


def test_the_largest_spec_that_is_taken_is_packed_by_its_true_size() -> None:
    options = m.Options(
        name="\U0001f600" * NAME_CHARS_MAX,
        log_context={chr(0x1F600 + number): "\U0001f600" for number in range(TEXT_CHARS_MAX // 2)},
        timeout_s=1.5,
        crash_limit=2**64 - 1,
        retries=2**64 - 1,
        priority=-(2**63),
    )
    digest = Digest(bytes(DIGEST_BYTES_MAX))
    top = 2**63 - 1
    spec = m.TaskSpec(JobId(top), digest, "\U0001f600" * NAME_CHARS_MAX, top, options, (digest,) * 1_000, -(2**63))
    check_message(m.SubmitJob(1, spec, 0, True, []))
    assert len(msgspec.msgpack.encode(spec)) <= header_size(spec) < SPECS_BYTES_MAX


def test_a_call_with_more_refs_than_go_with_it_is_the_users_error() -> None:
    refs = [payload.Ref(Digest(number.to_bytes(16, "big"))) for number in range(REFS_MAX + 1)]
    _, found = payload.dump_calls(len, [(refs[1:],)], {})
    assert len(found[0]) == REFS_MAX
    check_message(job(blobs=found[0]))
    with pytest.raises(UsageError, match=f"a call of len has {REFS_MAX + 1} refs, and at most {REFS_MAX} go with one"):
        payload.dump_calls(len, [(refs,)], {})
