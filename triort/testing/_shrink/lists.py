"""Takes away from a list what a test does not need: delta debugging, from large chunks to single items."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)


def minimized(items: Sequence[T], is_enough: Callable[[list[T]], bool]) -> list[T]:
    """The items that are left when no single one can be taken away any more so that the rest ``is_enough``.

    Tries nothing at all first, then to leave out halves, quarters and so on. The whole list is taken to be enough.
    """
    kept = list(items)
    chunk = len(kept)
    while chunk:
        is_shorter = False
        start = 0
        while start < len(kept):
            rest = kept[:start] + kept[start + chunk :]
            if is_enough(rest):
                kept = rest
                is_shorter = True
            else:
                start += chunk
        if chunk > 1:
            chunk = min(chunk // 2, max(len(kept), 1))
        elif not is_shorter:
            break
    return kept


def left_out(items: Iterable[H], kept: Iterable[H]) -> list[H]:
    """The items that are not kept."""
    there = frozenset(kept)
    return [item for item in items if item not in there]
