"""The suite runs: every row with tiny numbers, beside the pool of the standard library."""

import json

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.bars import BARS, MORE, Bar
from tests.benchmarks.report import judge, lines_of
from tests.benchmarks.rows import ROWS
from tests.benchmarks.running import Results


@pytest.mark.processes
@pytest.mark.parametrize("row", ROWS)
def test_a_row_gives_figures_and_leaves_nothing_behind(row: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tiny", "--reps", "1", "--peers", "pool", "--rows", row, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["failures"] == {}
    expected = {peer for peer in ROWS[row].peers if peer.startswith("triort") or peer in {"pool", "import-trio"}}
    assert {line["peer"] for line in data["lines"]} == expected
    assert all(line["row"] == row and len(line["values"]) == 1 for line in data["lines"])


@pytest.mark.processes
def test_the_table_names_a_bar_and_whether_it_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tiny", "--reps", "1", "--peers", "pool", "--rows", "first"]) == 0
    output = capsys.readouterr().out
    assert "first result of a map, ms" in output
    assert "≤ 5 met" in output or "≤ 5 missed" in output
    assert f"{len(BARS) - 1} not measured" in output


def test_every_bar_belongs_to_a_row_and_a_peer_of_it() -> None:
    assert [bar for bar in BARS if not {bar.of, bar.beside or bar.of} <= set(ROWS[bar.row].peers)] == []


def test_a_relative_bar_stands_with_the_peer_that_it_names() -> None:
    results = Results(ROWS["flat"])
    results.add({"triort": {"map, tasks/s": 90.0}, "pool": {"map, tasks/s": 30.0}})
    results.add({"triort": {"map, tasks/s": 100.0}, "pool": {"map, tasks/s": 20.0}})
    ours, pool = lines_of(results)
    assert (ours.peer, ours.median, ours.ratio, ours.verdict) == ("triort", 95.0, None, None)
    assert (pool.peer, pool.median, pool.ratio) == ("pool", 25.0, 3.8)
    assert str(pool.verdict) == "≥ 3 met"


def test_a_bar_of_its_own_stands_with_the_figure_itself() -> None:
    verdict = judge("makespan", "makespan / lower bound", "triort", 1.2, None)
    assert verdict is not None
    assert (verdict.is_met, str(verdict)) == (False, "≤ 1.1 missed")


def test_a_limit_itself_is_within_the_bar() -> None:
    assert Bar("flat", "map, tasks/s", MORE, 3.0).is_met(3.0)
