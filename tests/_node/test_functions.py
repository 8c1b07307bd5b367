"""Functions by their digests: what a worker loads is what the digest was made of."""

from collections.abc import Callable
from typing import Any

import pytest

from tests._core.makers import JOB, make_attempt, make_spec
from triort._model.errors import ProtocolError
from triort._model.ids import Digest
from triort._node.functions import Functions
from triort._wire.payload import dump_function


def wrap(call: Callable[..., Any], *, is_async: bool) -> Callable[..., Any]:
    return call


def test_another_function_under_the_digest_of_one_is_not_loaded_and_not_kept() -> None:
    digest, blob = dump_function(len)
    blobs: dict[Digest, bytes] = {digest: dump_function(max)[1]}
    functions = Functions({JOB: blobs}, wrap)
    spec = make_spec()
    attempt = make_attempt(1, type(spec)(JOB, digest, "len", 0, spec.options))
    with pytest.raises(ProtocolError, match="len is another function than its digest says"):
        functions.load(attempt)
    assert functions.known(digest) is None
    blobs[digest] = blob
    assert functions.load(attempt).call is len
