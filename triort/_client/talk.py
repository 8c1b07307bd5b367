"""What tasks say, shown where the client is: prints on its stdout and stderr, log records by its loggers."""

from __future__ import annotations

import logging
import sys
import traceback

from triort._model.messages import Log, Print


def show(message: Print | Log) -> None:
    """Show what a task has said. What the caller's own stream or handlers raise is reported as logging reports it: by a
    traceback on stderr, unless ``logging.raiseExceptions`` is off. It must not end the session."""
    try:
        if isinstance(message, Print):
            show_print(message)
        else:
            show_log(message)
    except Exception:
        if logging.raiseExceptions and sys.__stderr__ is not None:
            traceback.print_exc(file=sys.__stderr__)


def show_print(message: Print) -> None:
    """Write a task's text."""
    stream = sys.stderr if message.stream == "stderr" else sys.stdout
    stream.write(message.text)
    stream.flush()


def show_log(message: Log) -> None:
    """Hand a task's record to the logger of its name, if that is enabled for its level."""
    logger = logging.getLogger(message.logger)
    if logger.isEnabledFor(message.level):
        logger.handle(make_record(message))


def make_record(message: Log) -> logging.LogRecord:
    """A task's record. It has the attributes ``task_name`` and ``log_context``, and each key of the context that is
    free. Its level has the task's name for it where it has none here."""
    level_name = logging.getLevelName(message.level)
    if level_name == f"Level {message.level}":
        level_name = message.level_name or level_name
    file = message.path.rpartition("/")[2]
    record = logging.makeLogRecord(
        {
            "name": message.logger,
            "levelno": message.level,
            "levelname": level_name,
            "msg": message.text,
            "created": message.created,
            "msecs": (message.created - int(message.created)) * 1000,
            "pathname": message.path,
            "filename": file,
            "module": file.removesuffix(".py"),
            "lineno": message.line,
            "funcName": message.function,
            "exc_text": message.exception,
            "task_name": message.task_name,
            "log_context": message.context,
        }
    )
    for key, value in message.context.items():
        record.__dict__.setdefault(key, value)
    return record


def log_level_wanted() -> int:
    """The lowest level that any logger of this process would show."""
    levels = [logging.getLogger().getEffectiveLevel()]
    for logger in list(logging.Logger.manager.loggerDict.values()):  # other threads may make more meanwhile
        if isinstance(logger, logging.Logger) and logger.level:
            levels.append(logger.level)
    return max(min(levels), logging.root.manager.disable + 1 if logging.root.manager.disable else 1)
