"""Where two runs part: the last events that both have, and what each does next."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from triort.testing._events import Event
from triort.testing._report.words import counted, line_of
from triort.testing._run import Run

AROUND = 3
"""So many events before and behind the parting are shown."""


@attrs.frozen
class Divergence:
    """Event ``index`` (from 0) is the first that differs; one that has ended before has nothing there."""

    index: int
    common: list[Event]
    """The last events before it, which both have."""
    passing: list[Event]
    failing: list[Event]
    """The next events of each, this one first."""


def first_divergence(passing: Sequence[Event], failing: Sequence[Event]) -> Divergence | None:
    """The first event that differs, or None if the two are the same from beginning to end."""
    pairs = zip(passing, failing, strict=False)
    index = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(passing), len(failing)))
    if index == len(passing) == len(failing):
        return None
    common = list(passing[max(0, index - AROUND) : index])
    return Divergence(index, common, list(passing[index : index + AROUND]), list(failing[index : index + AROUND]))


def show_divergence(parting: Divergence, names: tuple[str, str] = ("passing", "failing")) -> str:
    """A divergence in lines: what both did, then what each does."""
    lines = ["They differ from the very first event."]
    if parting.index:
        are = "is" if parting.index == 1 else "are"
        lines = [f"The first {counted(parting.index, 'event')} {are} the same."]
    parts = [("both, last", parting.common), (names[0], parting.passing), (names[1], parting.failing)]
    for name, events in parts[0 if parting.common else 1 :]:
        lines.append(f"{name}:" if events else f"{name}: ends here")
        lines += ["  " + line_of(event) for event in events]
    return "\n".join(lines)


def compare_runs(passing: Run, failing: Run, names: tuple[str, str] = ("passing", "failing")) -> str:
    """Where two runs part, in lines, even if they have kept their last events only."""
    skipped = [run.num_events - len(run.events) for run in (passing, failing)]
    start = max(skipped)
    a, b = (run.events[start - gone :] for run, gone in zip((passing, failing), skipped, strict=True))
    parting = first_divergence(a, b)
    if parting is None and (not start or passing.trace_hash == failing.trace_hash):
        return f"Both have the same {counted(passing.num_events, 'event')}."
    if parting is None or (start and not parting.index):
        return (
            f"They part before event {start + 1:,}, the first that both have kept; "
            "replay them with all events kept to see where."
        )
    return show_divergence(attrs.evolve(parting, index=start + parting.index), names)
