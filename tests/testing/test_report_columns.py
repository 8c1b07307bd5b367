"""The last events in columns: whose event is whose can be read, and nothing is ever wider than the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.testing.report_samples import any_events, make_plan, make_run
from triort.testing._events import Event, Kind
from triort.testing._report.columns import show_columns
from triort.testing._report.words import cut_to, encodable, one_line, padded

SMALL = [
    Event(0.0, Kind.BORN, "s"),
    Event(0.0, Kind.BORN, "m0", peer="s"),
    Event(0.001, Kind.SUBMIT, "c0", "j0.2", "j0"),
    Event(0.001, Kind.SEND, "c0", "SubmitJob", "s", 1),
    Event(0.0015, Kind.DELIVER, "s", "SubmitJob", "c0", 1),
    Event(0.002, Kind.START, "m0.w1", "j0.2", number=7),
    Event(0.0021, Kind.FAULT, "m0", "cut"),
    Event(0.0021, Kind.DIED, "m0", detail="boss lost"),
    Event(0.003, Kind.END, "m0.w1", "j0.2", number=7, detail="killed"),
    Event(0.003, Kind.FAULT, "j0", "cancel_job"),
    Event(0.004, Kind.SETTLE, "c0", "j0.2", detail="cancelled"),
]

IN_COLUMNS = """\
   seconds  c0                s                 m0                m0.w1
  0.000000  │                 born                                │
            │                 │                 born below s      │
  0.001000  submit j0.2       │                 │                 │
            ▶ SubmitJob s     │                 │                 │
  0.001500  │                 ◀ SubmitJob c0    │                 │
  0.002000  │                 │                 │                 start j0.2
  0.002100  │                 │                 ✝ cut             │
            │                 │                 ✝ died: boss lost │
  0.003000  │                 │                                   end j0.2 killed
            j0 ✝ cancel_job   │                                   │
  0.004000  ✗ j0.2 cancelled  │                                   │"""


def test_each_node_has_a_column_and_a_line_as_long_as_it_lives() -> None:
    assert show_columns(SMALL, width=96, encoding="utf-8") == IN_COLUMNS


def test_a_stream_that_cannot_has_ascii_in_the_same_places() -> None:
    plain = IN_COLUMNS.replace("│", "|").replace("▶", ">").replace("◀", "<").replace("✝", "!").replace("✗", "x")
    assert show_columns(SMALL, width=96, encoding="ascii") == plain


def test_only_the_last_rows_are_shown_and_the_dead_before_them_have_no_line() -> None:
    lines = show_columns(SMALL, width=96, encoding="utf-8", num_rows=1).splitlines()
    assert lines[0].split() == ["seconds", "c0", "s", "m0", "m0.w1"]
    assert lines[1] == IN_COLUMNS.splitlines()[-1]


def test_clients_come_first_then_each_node_below_its_boss_in_numeric_order() -> None:
    names = ["m10", "m2.w10", "m2.w9", "s", "m2", "c0", "m2.m0.w1", "s.w1", "m2.m0", "c1"]
    events = [Event(0.0, Kind.BORN, name) for name in names]
    header = show_columns(events, width=300, encoding="utf-8").splitlines()[0]
    assert header.split()[1:] == ["c0", "c1", "s", "m2", "m2.m0", "m2.m0.w1", "m2.w9", "m2.w10", "m10", "s.w1"]


def test_with_many_nodes_those_without_an_event_are_left_out_and_counted() -> None:
    born = [Event(0.0, Kind.BORN, f"m0.w{i}", peer="m0") for i in range(1, 31)]
    busy = [Event(0.1, Kind.START, "m0.w3", "j0.0"), Event(0.2, Kind.START, "m0.w12", "j0.1")]
    lines = show_columns(born + busy, width=100, encoding="utf-8", num_rows=2).splitlines()
    assert lines[0].split() == ["seconds", "m0.w3", "m0.w12"]
    assert lines[-1].startswith("29 nodes without a column took no part in these events: m0, m0.w1, m0.w2, m0.w4")
    assert len(lines[-1]) <= 100


def test_what_does_not_fit_goes_into_one_column_for_all_others() -> None:
    events = [Event(i / 10, Kind.START, f"m0.w{i}", f"j0.{i}") for i in range(1, 31)]
    events += [Event(4.0, Kind.END, f"m0.w{i}", f"j0.{i}", detail="value") for i in (7, 29)]
    lines = show_columns(events, width=80, encoding="utf-8").splitlines()
    assert lines[0].split() == ["seconds", "m0.w1", "m0.w7", "m0.w29", "others"]
    assert lines[2].endswith("  m0.w2 start j0.2")
    assert lines[29].endswith("  start j0.29")
    assert all(f"start j0.{i}" in line for i, line in enumerate(lines[1:31], 1))


def test_no_events_are_told_in_words() -> None:
    assert show_columns([], width=80, encoding="utf-8") == "no events"


def test_the_width_of_the_terminal_comes_from_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    events = make_run().events
    monkeypatch.setenv("COLUMNS", "70")
    assert show_columns(events, encoding="utf-8") == show_columns(events, width=70, encoding="utf-8")
    monkeypatch.delenv("COLUMNS")
    assert show_columns(events, encoding="utf-8") == show_columns(events, width=160, encoding="utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp437"])
@pytest.mark.parametrize("width", [40, 79, 160, 400])
def test_a_whole_run_never_wraps_and_can_be_written(width: int, encoding: str) -> None:
    text = show_columns(make_run(make_plan(tree=(3, 12), num_tasks=40)).events, width=width, encoding=encoding)
    assert max(map(cell_len, text.splitlines())) <= width
    assert len(text.splitlines()) >= 61
    text.encode(encoding)


@given(any_events(), st.integers(1, 200), st.sampled_from(["utf-8", "ascii", "cp1252"]))
def test_no_name_whatsoever_breaks_the_rows(events: list[Event], width: int, encoding: str) -> None:
    lines = show_columns(events, width=width, encoding=encoding).split("\n")
    "\n".join(lines).encode(encoding)
    assert "".join(lines).isprintable()
    assert max(map(cell_len, lines)) <= max(width, 30)
    assert not events or len(lines) in (len(events) + 1, len(events) + 2)


def test_texts_are_cut_by_what_they_take_on_a_screen() -> None:
    assert cut_to("日本語", 5) == "日本…"
    assert padded("日本語", 5) == "日本…"
    assert padded("日本", 5) == "日本 "
    assert cut_to("abc", 0) == ""
    assert one_line("a\nb\x1b[1m\ud800") == "a\\nb\\x1b[1m\\ud800"
    assert encodable("▶ ü", "ascii") == "> \\xfc"
    assert encodable("▶ ü", "latin-1") == "> ü"
