"""Shows how far a scenario is, on a terminal; nothing when the output goes elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from triort.testing._seeds import Tried


class Watch:
    """Passes on how seeds did, and shows a bar meanwhile."""

    def __init__(self, config: pytest.Config) -> None:
        self._capture = config.pluginmanager.getplugin("capturemanager")
        reporter = config.pluginmanager.getplugin("terminalreporter")
        self.is_watched: bool = self._capture is not None and reporter is not None and reporter.isatty

    def __call__(self, name: str, num_seeds: int, all_tried: Iterator[Tried]) -> Iterator[Tried]:
        """The same seeds."""
        if not self.is_watched or num_seeds == 1:
            yield from all_tried
            return
        with self._capture.global_and_fixture_disabled():
            yield from shown(name, num_seeds, all_tried)


def shown(name: str, num_seeds: int, all_tried: Iterator[Tried]) -> Iterator[Tried]:
    """The same seeds, with a bar on stderr meanwhile."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("", total=num_seeds)
        num_failing = 0
        for tried in all_tried:
            num_failing += tried.trial is not None
            bar.update(line, advance=1, description=f"{num_failing} failing" if num_failing else "")
            yield tried
