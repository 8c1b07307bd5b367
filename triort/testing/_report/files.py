"""Writes the reports of a run into a folder: its plan, the trace for Perfetto, the page."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from triort._model.errors import UsageError
from triort.testing._plan.codec import dump_plan
from triort.testing._report.page import page_html
from triort.testing._report.perfetto import trace_json
from triort.testing._run import Run


def write_reports(run: Run, folder: PathLike[str] | str) -> list[Path]:
    """Write plan, trace and page, named by seed and tier, and tell where they are. The folder is made if it is not
    there; files of an earlier run of that seed are replaced.

    Raises `UsageError` if they cannot be written.
    """
    stem = f"seed-{run.plan.seed}-tier-{run.tier}"
    texts = {
        f"{stem}.plan.json": dump_plan(run.plan),
        f"{stem}.trace.json": trace_json(run),
        f"{stem}.html": page_html(run),
    }
    there = Path(folder)
    try:
        there.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (there / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"The reports of seed {run.plan.seed} cannot be written to {there}: {reason}.") from error
    return [there / name for name in texts]
