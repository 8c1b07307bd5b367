"""Runs rows: opens their peers, asks each in turn, so often as there are repetitions, and keeps what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import attrs

from tests.benchmarks.hosts import Host, PeerFailed, open_host
from tests.benchmarks.row import Figures, Found, Row
from tests.benchmarks.sizes import TINY, Sizes


@attrs.define
class Results:
    """What a row has given: figure → peer → one value for each repetition; and who has failed, and why."""

    row: Row
    values: dict[str, dict[str, list[float]]] = attrs.Factory(dict)
    failures: dict[str, str] = attrs.Factory(dict)

    def add(self, found: Found) -> None:
        for peer, figures in found.items():
            for figure, value in figures.items():
                self.values.setdefault(figure, {}).setdefault(peer, []).append(value)


@attrs.frozen
class Runner:
    """How rows are run."""

    sizes: Sizes
    reps: int
    workers: int
    on_step: Callable[[str, str, int], None]
    """Is told row, peer and repetition before each step."""

    def run(self, row: Row, peers: Sequence[str]) -> Results:
        """Run a row for those of its peers that are given. One that fails is left out from then on."""
        results = Results(row)
        with ExitStack() as stack:
            hosts = {} if row.measure is None or row.is_fresh else self._open_all(row, peers, stack, results)
            for repetition in range(self.reps):
                found: Found = {}
                for peer in peers:
                    if peer not in results.failures:
                        self.on_step(row.name, peer, repetition)
                        with noting(results, peer):
                            found[peer] = self._measure(row, peer, hosts.get(peer))
                results.add(found)
                if row.derive is not None:
                    results.add(row.derive(found))
        return results

    def _open_all(self, row: Row, peers: Sequence[str], stack: ExitStack, results: Results) -> dict[str, Host]:
        hosts = {}
        for peer in peers:
            self.on_step(row.name, peer, -1)
            stack.enter_context(noting(results, peer))
            with noting(results, peer):
                host = stack.enter_context(open_host(peer, self.workers))
                host.ask(row.name, TINY)  # so that all has been imported, and tried once
                hosts[peer] = host
        return hosts

    def _measure(self, row: Row, peer: str, host: Host | None) -> Figures:
        if row.measure_here is not None:
            return row.measure_here(peer, self.workers)
        sizes = row.sizes_for(peer, self.sizes)
        if host is not None:
            return host.ask(row.name, sizes)
        with open_host(peer, self.workers) as fresh:
            return fresh.ask(row.name, sizes)


@contextmanager
def noting(results: Results, peer: str) -> Iterator[None]:
    """Keep the failure of a peer with the results; the others go on."""
    try:
        yield
    except (PeerFailed, AssertionError) as exc:
        results.failures[peer] = str(exc)
