"""A progress bar on stderr for a map; nothing when stderr is no terminal."""

from __future__ import annotations

import trio

from triort._client.jobs import Job


async def watch_progress(job: Job) -> None:
    """Wait for the job's end as `Client.map` does, and show how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        line = bar.add_task(job._name, total=len(job._has))
        async with trio.open_nursery() as nursery:

            async def follow() -> None:
                while True:
                    await job._wait_news()
                    bar.update(line, completed=job._num_done)

            nursery.start_soon(follow)
            problem: Exception | None = None
            try:
                await job._end_or_cancel()
            except Exception as exc:  # raised outside: the nursery would put it into a group
                problem = exc
            nursery.cancel_scope.cancel()
    if problem is not None:
        raise problem
