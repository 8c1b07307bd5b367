"""Whether there is a BQSKit, and one that this bridge was made for.

The bridge sits in places of BQSKit's runtime that are not documented, and that another release may move. So only the
releases that it has been tested with are taken.
"""

import importlib

TESTED = "1.2"


def check_bqskit() -> None:
    """Raises `ImportError` in one line."""
    try:
        module = importlib.import_module("bqskit")
    except ModuleNotFoundError as exc:
        if exc.name != "bqskit":
            raise
        raise ImportError("triort.bridges.bqskit needs BQSKit: pip install 'triort[bqskit]'", name="bqskit") from None
    version = str(getattr(module, "__version__", "unknown"))
    if version != TESTED and not version.startswith(f"{TESTED}."):
        text = f"triort.bridges.bqskit was made for BQSKit {TESTED}, not {version}: pip install 'triort[bqskit]'"
        raise ImportError(text, name="bqskit")
