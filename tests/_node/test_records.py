"""What tasks log and are called fits into a message, whatever is in it."""

import logging

import pytest

from tests._core.makers import make_spec
from tests.security.scene import over_the_wire
from triort._model.errors import UsageError
from triort._model.limits import COUNT_MAX
from triort._model.messages import Log, Options
from triort._node.options import check_options
from triort._node.output import log_message

UNSENDABLE = "\udcff"
"""What stands for a byte in the name of a file that is no UTF-8."""


def failure() -> BaseException:
    try:
        raise FileNotFoundError(UNSENDABLE * 60_000)
    except FileNotFoundError as exc:
        return exc


def test_a_record_is_told_whatever_it_holds() -> None:
    texts = [UNSENDABLE * 60_000, "x" * 200_000]
    exc = failure()
    for text in texts:
        record = logging.LogRecord(text, 40, text, 1, text, (), (type(exc), exc, exc.__traceback__), text)
        record.levelname = text
        told, _ = over_the_wire((log_message(make_spec(), record), []))
        assert isinstance(told, Log)
        assert told.text.startswith(text[:1].encode("utf-8", "backslashreplace").decode())


def test_a_level_may_be_any_number() -> None:
    for level, told_level in ((2**70, COUNT_MAX), (-(2**70), -COUNT_MAX), (40, 40)):
        record = logging.LogRecord("log", level, "file.py", 2**70, "text", (), None)
        told, _ = over_the_wire((log_message(make_spec(), record), []))
        assert isinstance(told, Log)
        assert (told.level, told.line) == (told_level, COUNT_MAX)


@pytest.mark.parametrize("bad", [Options(name=UNSENDABLE), Options(log_context={"path": UNSENDABLE})], ids=str)
def test_a_name_that_cannot_be_sent_is_refused_where_it_is_given(bad: Options) -> None:
    with pytest.raises(UsageError, match="name or log_context holds what UTF-8 does not"):
        check_options(bad)
