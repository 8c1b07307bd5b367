"""Runs a command of triort with other limits, which is for tests alone: sessions that live for seconds.

Arguments: the command's module, then its own. The limits come from the environment, as ``NAME=value,…``. Modules take
them over when they are imported, and the package imports nearly all of them; so the module of the limits is loaded
alone, before the package, and changed.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

LIMITS = "TRIORT_CHAOS_LIMITS"
NAME = "triort._model.limits"
SHORT = {
    "HEARTBEAT_S": 0.5,
    "STALL_S": 1.5,
    "STOP_S": 3.0,
    "GRACE_S": 1.0,
    "FENCE_MARGIN_S": 0.5,
    "FENCE_S": 4.5,
}
"""Sessions that live for seconds."""


def as_text(limits: Mapping[str, float]) -> str:
    """Limits as the environment has them."""
    return ",".join(f"{name}={value}" for name, value in limits.items())


def set_limits(text: str) -> None:
    """Set what the text names in the module of the limits; a name that is not there is an error."""
    assert "triort" not in sys.modules, "it is too late to change limits"
    package = importlib.util.find_spec("triort")
    assert package is not None
    assert package.origin is not None
    spec = importlib.util.spec_from_file_location(NAME, Path(package.origin).parent / "_model" / "limits.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[NAME] = limits = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(limits)
    for name, _, value in (word.partition("=") for word in text.split(",") if word):
        kind = type(getattr(limits, name))
        setattr(limits, name, kind(value))


def main() -> int:
    set_limits(os.environ.get(LIMITS, ""))
    name, *words = sys.argv[1:]
    sys.argv = [name, *words]
    code: int = importlib.import_module(name).main(words)
    return code


if __name__ == "__main__":
    sys.exit(main())
