"""What is drawn of a run: bars, messages, lives."""

from hypothesis import given

from tests.testing.report_samples import any_events, make_run
from triort.testing._events import Event, Kind
from triort.testing._report.hierarchy import boss_of, depth_of, in_order, with_bosses
from triort.testing._report.picture import Bar, Life, Way, draw_picture


def at(kind: Kind, node: str, what: str = "", peer: str = "", number: int = 0, detail: str = "") -> Event:
    return Event(0.0, kind, node, what, peer, number, detail)


def test_a_task_is_a_bar_from_its_start_to_its_end_beside_those_that_it_overlaps() -> None:
    picture = draw_picture(
        [
            at(Kind.START, "m0.w1", "j0.0", number=1),
            at(Kind.START, "m0.w1", "j0.1", number=2),
            at(Kind.END, "m0.w1", "j0.0", number=1, detail="value"),
            at(Kind.START, "m0.w1", "j0.2", number=3),
        ]
    )
    assert picture.bars == [
        Bar("m0.w1", "j0.0", 0, 0, 1, end=2, how="value"),
        Bar("m0.w1", "j0.1", 1, 1, 2),
        Bar("m0.w1", "j0.2", 3, 0, 3),
    ]


def test_a_task_that_started_twice_at_once_is_two_bars() -> None:
    picture = draw_picture(
        [
            at(Kind.START, "s.w1", "j0.0", number=1),
            at(Kind.START, "s.w1", "j0.0", number=2),
            at(Kind.END, "s.w1", "j0.0", number=1, detail="value"),
            at(Kind.END, "s.w1", "j0.0", number=2, detail="error"),
        ]
    )
    assert [(bar.slot, bar.end, bar.how) for bar in picture.bars] == [(0, 2, "value"), (1, 3, "error")]


def test_the_death_of_a_node_ends_its_bars_and_a_late_end_tells_how() -> None:
    picture = draw_picture(
        [
            at(Kind.BORN, "s.w1", peer="s"),
            at(Kind.START, "s.w1", "j0.0", number=1),
            at(Kind.START, "s.w1", "j0.1", number=2),
            at(Kind.DIED, "s.w1", detail="killed"),
            at(Kind.END, "s.w1", "j0.1", number=2, detail="killed"),
            at(Kind.BORN, "s.w1", peer="s"),
        ]
    )
    assert [(bar.end, bar.how) for bar in picture.bars] == [(3, "died"), (3, "killed")]
    assert picture.lives == [Life("s.w1", 0, 3), Life("s.w1", 5), Life("s", None)]


def test_what_began_before_the_first_event_has_no_beginning() -> None:
    picture = draw_picture(
        [
            at(Kind.START, "s.w1", "j0.1", number=2),
            at(Kind.END, "s.w1", "j0.0", number=1, detail="value"),
            at(Kind.DELIVER, "s", "Outcomes", "s.w1", 9),
            at(Kind.JOB, "c0", "j0", detail="done"),
            at(Kind.DIED, "s.w2", detail="killed"),
        ]
    )
    assert picture.bars[1:] == [
        Bar("s.w1", "j0.0", None, 1, 1, end=1, how="value"),
        Bar("c0", "j0", None, 0, is_job=True, end=3, how="done"),
    ]
    assert picture.ways == [Way(None, 2)]
    assert picture.lives[0] == Life("s.w2", None, 4)


def test_messages_are_paired_by_link_direction_and_number_also_after_a_new_link() -> None:
    picture = draw_picture(
        [
            at(Kind.SEND, "m0", "Submit", "s", 1),
            at(Kind.SEND, "s", "Submit", "m0", 1),
            at(Kind.DELIVER, "m0", "Submit", "s", 1),
            at(Kind.SEND, "m0", "Hello", "s", 1),
            at(Kind.DELIVER, "s", "Hello", "m0", 1),
        ]
    )
    assert picture.ways == [Way(0), Way(1, 2), Way(3, 4)]


def test_a_job_is_a_bar_of_its_client() -> None:
    picture = draw_picture(
        [
            at(Kind.SUBMIT, "c0", "j0.0", "j0"),
            at(Kind.SUBMIT, "c0", "j0.1", "j0"),
            at(Kind.SUBMIT, "m0.w1", "j0.0.0.0", "j0.0"),
            at(Kind.JOB, "c0", "j0", detail="done"),
        ]
    )
    assert picture.bars == [Bar("c0", "j0", 0, 0, is_job=True, end=3, how="done")]


def test_bosses_are_there_even_if_nothing_is_told_of_them() -> None:
    assert draw_picture([at(Kind.START, "m0.m2.w1", "j0.0")]).nodes == ["s", "m0", "m0.m2", "m0.m2.w1"]
    assert with_bosses(["c0"]) == ["c0"]
    assert [boss_of(name) for name in ("c0", "s", "m0", "s.w1", "m0.m1.w2", "?")] == ["", "", "s", "s", "m0.m1", ""]
    assert depth_of("m0.m1.w2") == 3
    assert in_order(["m1", "m0.w2", "s", "x", "c1", "m0", "m0.m0", "s.w1"]) == [
        "c1", "s", "m0", "m0.m0", "m0.w2", "m1", "s.w1", "x",
    ]  # fmt: skip


def test_what_no_node_says_makes_no_node() -> None:
    events = [at(Kind.FAULT, "j0", "cancel_job"), at(Kind.LOG, "triort.server", "x"), at(Kind.FAULT, "m1", "cut")]
    assert draw_picture([*events, at(Kind.MARK, "")]).nodes == ["s", "m1"]


def check(events: list[Event]) -> None:
    """Bars of one slot do not overlap, every node has its boss above it, and all that is pointed at is there."""
    picture = draw_picture(events)
    free_from: dict[tuple[str, int], int] = {}
    for bar in sorted(picture.bars, key=lambda bar: -1 if bar.start is None else bar.start):
        start, end = bar.start or 0, len(events) if bar.end is None else bar.end
        assert free_from.get((bar.node, bar.slot), 0) <= start <= end
        free_from[bar.node, bar.slot] = end
    places = {node: i for i, node in enumerate(picture.nodes)}
    assert all(places[boss_of(node)] < places[node] for node in places if boss_of(node))
    assert {bar.node for bar in picture.bars} | {life.node for life in picture.lives} <= set(places)
    for way in picture.ways:
        assert way.sent is None or events[way.sent].kind is Kind.SEND
        assert way.got is None or events[way.got].kind is Kind.DELIVER


def test_the_picture_of_a_whole_run_and_of_its_end() -> None:
    events = make_run().events
    check(events)
    check(events[-100:])


@given(any_events(60))
def test_the_picture_of_whatever_happens(events: list[Event]) -> None:
    check(events)
