"""Runs a command of triort with other limits, which is for tests alone: sessions that live for seconds.

Arguments: the command's module, then its own. The limits come from the environment, as ``NAME=value,…``; they are set
before any other module of triort has taken them over.
"""

import importlib
import os
import sys

LIMITS = "TRIORT_CHAOS_LIMITS"


def set_limits(text: str) -> None:
    """Set what the text names in `triort._model.limits`; a name that is not there is an error."""
    limits = importlib.import_module("triort._model.limits")
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
