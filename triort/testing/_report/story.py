"""What a failing run prints: check, replay line, shrunk plan, last events, where it parts from a passing run, files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from os import PathLike, fspath

from triort.testing._plan.plan import Batch, Job, Plan, Task
from triort.testing._report.columns import show_columns
from triort.testing._report.divergence import compare_runs
from triort.testing._report.plans import show_plan
from triort.testing._report.words import counted, encodable, exact, one_line, output_encoding, terminal_width
from triort.testing._run import Run


def show_failure(
    run: Run,
    *,
    shrunk: Run | None = None,
    passing: Run | None = None,
    replay_line: str,
    files: Sequence[PathLike[str] | str] = (),
    width: int | None = None,
    encoding: str | None = None,
) -> str:
    """The story of a failed run. ``shrunk`` is the failed run of the smallest plan found, ``passing`` one that differs
    from it little and passes, ``files`` what `write_reports` has written."""
    width = terminal_width() if width is None else width
    encoding = output_encoding() if encoding is None else encoding
    told = shrunk or run
    parts = [head(run, replay_line), plan_part(run, shrunk)]
    kept = min(len(told.events), told.num_events)
    parts.append(f"The last of {counted(told.num_events, 'event')}{' of the shrunk plan' if shrunk else ''}\n")
    columns = show_columns(told.events, width=width - 2, encoding=encoding) if kept else "none was kept"
    if passing is not None:
        parting = "Where it parts from a passing run\n" + textwrap.indent(compare_runs(passing, told), "  ")
    else:
        parting = "No passing run is at hand to compare it with."
    written = "\n".join(["Written", *(f"  {one_line(fspath(file))}" for file in files)]) if files else ""
    pasted = encodable(f"  {one_line(replay_line)}", encoding)
    before, after = (
        folded(encodable("\n\n".join(group), encoding), width, pasted) for group in (parts, [parting, written])
    )
    shown = textwrap.indent(columns, "  ")
    return f"{before}{shown}\n\n{after}".rstrip() + "\n"


def head(run: Run, replay_line: str) -> str:
    """Which check failed on which seed, when, and how to see it again."""
    violation, seed = run.violation, run.plan.seed
    if violation is None:
        title, text, time_s = f"Seed {seed} passed every check", "", run.now_s
    else:
        title, text, time_s = (
            f"Seed {seed} failed the check {one_line(violation.check)}",
            violation.text,
            violation.time_s,
        )
    facts = [
        f"at {exact(time_s)} s of virtual time",
        f"tier {run.tier}",
        counted(run.num_events, "event"),
        counted(run.num_messages, "message"),
        f"trace {run.trace_hash}",
    ]
    seen = "".join(f"\n  {one_line(line)}" for line in text.splitlines())
    return f"{title}{seen}\n  {', '.join(facts)}\n\nReplay it\n  {one_line(replay_line)}"


def plan_part(run: Run, shrunk: Run | None) -> str:
    """The smallest plan that fails, and what it was shrunk from."""
    if shrunk is None:
        return "The plan, not shrunk\n" + textwrap.indent(show_plan(run.plan), "  ")
    title = f"The shrunk plan: {sizes(shrunk.plan)}; before: {sizes(run.plan)}"
    found, first = shrunk.violation, run.violation
    if found is not None and first is not None and str(found) != str(first):
        first_line = str(found).partition("\n")[0]
        title += f"\n  it fails {one_line(first_line)}"
    return title + "\n" + textwrap.indent(show_plan(shrunk.plan), "  ")


def sizes(plan: Plan) -> str:
    """How much there is in a plan."""
    nodes = level = 1
    for fan_out in plan.tree:
        level *= fan_out
        nodes += level
    tasks = [] if plan.test else [counted(num_tasks(plan.jobs), "task")]
    return ", ".join([counted(len(plan.faults), "fault"), *tasks, counted(nodes, "node")])


def num_tasks(jobs: Sequence[Job]) -> int:
    """All tasks of jobs, children included."""
    waiting: list[Task] = [task for job in jobs for task in job.items]
    number = 0
    while waiting:
        task = waiting.pop()
        number += 1
        waiting += [child for step in task.steps if isinstance(step, Batch) for child in step.children]
    return number


def folded(text: str, width: int, whole: str = "") -> str:
    """The text with its long lines continued below, further in; but for the one that is to stay whole."""
    lines = text.split("\n")
    return "\n".join(fold for line in lines for fold in ([line] if line == whole else fold_line(line, width)))


def fold_line(line: str, width: int) -> list[str]:
    """One line in pieces that fit; the branches of a tree go on in front of what is continued."""
    if len(line) <= width:
        return [line]
    bare = line.lstrip(" │├└─|`-")
    lead = line[: len(line) - len(bare)].replace("├─", "│ ").replace("└─", "  ").replace("|-", "| ").replace("`-", "  ")
    room = max(20, width - len(lead) - 4)
    first, *rest = textwrap.wrap(bare, room, drop_whitespace=True, break_on_hyphens=False) or [""]
    return [line[: len(line) - len(bare)] + first, *(f"{lead}    {piece}" for piece in rest)]
