"""A view of the simulated processes that live, by name: what checkers ask for many times at each look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

P = TypeVar("P")
T = TypeVar("T")


class Living(Mapping[str, T]):
    """What ``pick`` finds in each process; those where it finds nothing are not there."""

    def __init__(self, processes: Mapping[str, P], pick: Callable[[P], T | None]) -> None:
        self._processes = processes
        self._pick: Callable[[P], T | None] = pick

    def __getitem__(self, name: str) -> T:
        found = self._pick(self._processes[name])
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name, process in self._processes.items() if self._pick(process) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
