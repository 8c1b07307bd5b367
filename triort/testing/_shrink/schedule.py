"""Simpler schedules of tier 2: first come, first served; else as few deviations from it as can be."""

from __future__ import annotations

import msgspec

from triort.testing._plan.plan import Plan
from triort.testing._shrink.lists import minimized
from triort.testing._shrink.search import Recorded, Search

replace = msgspec.structs.replace


def simpler_schedule(search: Search, recorded: Recorded | None) -> bool:
    """Whether it is now first come, first served, and was not before; then all else is worth another try."""
    if search.plan.schedule == "fifo":
        return False
    if search.attempt(replace(search.plan, schedule="fifo", script={})):
        return True
    if search.plan.schedule != "script":
        if recorded is None:
            return False
        script = {number: list(order) for number, order in recorded(search.plan).items()}
        if not search.attempt(replace(search.plan, schedule="script", script=script)):
            return False
    _fewer_deviations(search)
    _fewer_inversions(search)
    return False


def _fewer_deviations(search: Search) -> None:
    base = search.plan
    numbers = sorted(base.script)
    minimized(numbers, lambda kept: search.attempt(replace(base, script={n: base.script[n] for n in kept})))


def _fewer_inversions(search: Search) -> None:
    """Undo, where two neighbours are swapped."""
    for number in sorted(search.plan.script):
        while any(search.attempt(plan) for plan in _less_swapped(search.plan, number)):
            pass


def _less_swapped(plan: Plan, number: int) -> list[Plan]:
    order = plan.script[number]
    plans: list[Plan] = []
    for place in range(len(order) - 1):
        if order[place] > order[place + 1]:
            swapped = [*order[:place], order[place + 1], order[place], *order[place + 2 :]]
            plans.append(replace(plan, script={**plan.script, number: swapped}))
    return plans
