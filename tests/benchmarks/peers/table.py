"""Who is compared: each peer by its key, where it is written, and what has to be installed for it."""

from __future__ import annotations

import importlib.util

import attrs

TRIORT = "triort"
POOL = "pool"


@attrs.frozen
class Entry:
    """A peer."""

    key: str
    module: str
    needs: str = ""
    """The package without which it is skipped."""
    levels: int = 0
    """Of managers, for triort."""
    is_trio: bool = False
    """Whether it lives in a trio loop."""

    @property
    def is_triort(self) -> bool:
        return self.module == TRIORT


ENTRIES = [
    Entry(TRIORT, "triort", is_trio=True),
    Entry("triort-1", "triort", levels=1, is_trio=True),
    Entry("triort-2", "triort", levels=2, is_trio=True),
    Entry("triort-3", "triort", levels=3, is_trio=True),
    Entry(POOL, "pool"),
    Entry("executor", "futures"),
    Entry("loky", "loky", "loky"),
    Entry("trio-parallel", "trio_parallel", "trio_parallel", is_trio=True),
    Entry("bqskit", "bqskit", "bqskit"),
    Entry("dask", "dask", "distributed"),
    Entry("ray", "ray", "ray"),
    Entry("import-trio", ""),
]
PEERS = {entry.key: entry for entry in ENTRIES}
LEVELS = ("triort-1", "triort-2", "triort-3")
OTHERS = [entry.key for entry in ENTRIES if entry.module and not entry.is_triort]
"""Whom one may choose or leave out."""


def missing() -> list[str]:
    """The peers that are not installed here."""
    return [key for key in OTHERS if PEERS[key].needs and importlib.util.find_spec(PEERS[key].needs) is None]
