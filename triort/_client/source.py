"""Functions named on a command line: ``FILE:FUNCTION`` and ``MODULE:FUNCTION``.

A module is one that the workers can import, too; its functions travel by name. A file is not: what it defines travels
by value, as that of a script does. It is executed under a name of its own and not as ``__main__``, for a file that ends
in ``if __name__ == "__main__": triort.run(…)`` is to be loaded here, and not to start a cluster of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from triort._model.errors import UsageError
from triort._wire import payload

SCRIPT = "__main__."
"""Nothing can be imported under a name that begins so: ``__main__`` is no package."""


def load_named_function(text: str) -> Callable[..., Any]:
    """The function that ``text`` names; runs the code of its module or file. Raises `UsageError` in one line."""
    where, colon, name = text.rpartition(":")
    if not colon or not where or not name:
        raise UsageError(f"{text!r} names no function; write FILE:FUNCTION or MODULE:FUNCTION")
    is_file = where.endswith(".py") or os.sep in where
    try:
        found: Any = _load_file(Path(where)) if is_file else importlib.import_module(where)
    except UsageError:
        raise
    except ModuleNotFoundError as exc:
        hint = "" if is_file or exc.name != where else f"; to run a file, write {where}.py:{name}"
        raise UsageError(f"{where} cannot be loaded: there is no module {exc.name!r}{hint}") from exc
    except Exception as exc:  # the user's code runs here
        raise UsageError(f"{where} cannot be loaded: {_place(exc)}{payload.describe(exc)}") from exc
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise UsageError(f"{where} has no function {name!r}")
    function: Callable[..., Any] = found
    return function


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}")
    path = path.resolve()
    name = SCRIPT + path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{str(path)!r} is no Python file: its name has to end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))  # what lies beside it can be imported, here and in workers started from here
    spec.loader.exec_module(module)
    payload.ship_by_value(module)
    return module


def _place(exc: Exception) -> str:
    frames = traceback.extract_tb(exc.__traceback__)
    return f"line {frames[-1].lineno} of {frames[-1].filename}: " if frames else ""
