"""Whether there is a BQSKit, and one that this bridge was made for.

The bridge sits in places of BQSKit's runtime that are not documented, and that another release may move. So only the
releases that it has been tested with are taken.
"""

import importlib.metadata
import importlib.util

TESTED = "1.2"


def check_bqskit() -> None:
    """Raises `ImportError` in one line."""
    if importlib.util.find_spec("bqskit") is None:
        raise ImportError("triort.bridges.bqskit needs BQSKit: pip install 'triort[bqskit]'", name="bqskit")
    try:
        version = importlib.metadata.version("bqskit")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    if version != TESTED and not version.startswith(f"{TESTED}."):
        raise ImportError(
            f"triort.bridges.bqskit was made for BQSKit {TESTED}, and this is {version}: pip install 'triort[bqskit]'",
            name="bqskit",
        )
