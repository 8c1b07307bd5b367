"""The page: one file that needs nothing else, and in which no name can become markup."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given

from tests.testing.report_samples import any_events, cut_off, make_plan, make_run, run_of
from triort.testing._events import Event, Kind, Violation
from triort.testing._plan.plan import Job, Task
from triort.testing._report.page import SCRIPTS, asset, page_data, page_html
from triort.testing._run import Run

EVIL = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]>&amp;&lt;\"'`$title ${x}",
    "a\nb\u2028\ud800\x00",
]


class Page(HTMLParser):
    """The elements of a page, and the texts of some."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self._inside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts.setdefault(self._inside[-1], []).append(data)

    @property
    def data(self) -> Any:
        return json.loads(self.texts["script"][0])


def evil_run() -> Run:
    events = [
        Event(i / 10 + j / 100, kind, node, evil, evil, 1, evil)
        for i, evil in enumerate(EVIL)
        for j, (kind, node) in enumerate([(Kind.START, evil), (Kind.SEND, "s"), (Kind.FAULT, "s"), (Kind.LOG, evil)])
    ]
    plan = msgspec.structs.replace(
        make_plan(), jobs=[Job(evil, [Task(evil, [])], evil) for evil in EVIL], found=EVIL[0]
    )
    return attrs.evolve(run_of(events, plan, Violation(EVIL[0], "\n".join(EVIL))), trace_hash=EVIL[0])


def test_no_name_becomes_markup() -> None:
    honest, evil = Page(page_html(make_run())), Page(page_html(evil_run()))
    num_breaks = "\n".join(EVIL).count("\n") + 1  # a line separator splits a line as well
    tags = [tag for tag in evil.tags if tag != "br"]
    assert sorted(tags) == sorted(tag for tag in honest.tags if tag != "br")
    assert evil.tags.count("br") == num_breaks
    assert sorted(name for name, _ in evil.attributes) == sorted(name for name, _ in honest.attributes)
    assert honest.tags.count("script") == 2


def test_the_data_has_no_sign_that_means_anything_to_a_browser() -> None:
    data = re.search(r'<script type="application/json" id="run">(.*?)</script>', page_html(evil_run()), re.DOTALL)
    assert data is not None
    assert set("<>&\u2028") & set(data[1]) == set()


def test_every_name_arrives_as_it_was() -> None:
    data = Page(page_html(evil_run())).data
    assert set(EVIL) <= set(data["strings"])
    assert set(EVIL) <= {lane[0] for lane in data["lanes"]}
    assert data["violation"]["check"] == EVIL[0]


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    text = page_html(make_run())
    page = Page(text)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:") in (
        page.attributes
    )
    assert set(re.findall(r"https?://[^\"'\s]+", text)) == {"http://www.w3.org/2000/svg"}
    assert [value for name, value in page.attributes if name in ("src", "href")] == ["data:,"]
    assert "url(" not in text
    assert "@import" not in text


def test_scripts_cannot_be_closed_or_commented_out_from_within() -> None:
    for name in SCRIPTS:
        assert "</script" not in asset(f"{name}.js").lower()
        assert "<!--" not in asset(f"{name}.js")
        assert "innerHTML" not in asset(f"{name}.js")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_is_javascript(tmp_path: Path) -> None:
    script = tmp_path / "page.js"
    script.write_text(Page(page_html(make_run())).texts["script"][1], encoding="utf-8")
    done = subprocess.run(["node", "--check", str(script)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_verdict_comes_first() -> None:
    failed, passed = page_html(make_run()), page_html(make_run(violation=False))
    assert "<strong>one_outcome</strong>" in failed
    assert "task j0.0 has come to its parent c0 twice: value 1, value 1" in failed
    assert "<title>triort simulation, seed 97: one_outcome</title>" in failed
    assert "<strong>All checks passed</strong>" in passed
    assert Page(passed).data["violation"] is None


def test_the_plan_is_there_to_read_without_scripts() -> None:
    assert "at 0.0123 s: the connection of m1 to s is cut" in "".join(Page(page_html(make_run())).texts["pre"])


def test_a_run_that_kept_its_last_events_says_so() -> None:
    run = cut_off(make_run(), 100)
    assert f"the last 100 of {run.num_events:,} events" in page_html(run)
    assert page_data(run)["first"] == run.num_events - 100


def test_the_fault_that_lasts_has_an_end_and_the_one_that_missed_has_none() -> None:
    run = make_run()
    slow = next(i for i, event in enumerate(run.events) if event.what == "slow_node")
    assert page_data(run)["bands"] == [[slow, 0.022]]
    missed = run.events[slow]._replace(detail="missed")
    assert page_data(run_of([missed], run.plan))["bands"] == []


def check(data: dict[str, Any]) -> None:
    """All that points, points at something."""
    events, lanes, strings = data["events"], range(len(data["lanes"])), range(len(data["strings"]))
    numbers = range(-1, len(events["time"]))
    assert {len(column) for column in events.values()} == {len(events["time"])}
    assert events["time"] == sorted(events["time"])
    assert all(lane in range(-1, len(lanes)) for lane in events["lane"])
    for column in ("node", "what", "peer", "detail", "text"):
        assert all(number in strings for number in events[column])
    for bar in data["bars"]:
        assert bar[0] in lanes
        assert bar[1] in numbers
        assert bar[2] in numbers
        assert bar[4] in strings
        assert bar[5] in strings
    assert all(sent in numbers and got in numbers and max(sent, got) >= 0 for sent, got in data["ways"])
    assert all(lane in lanes and born in numbers and died in numbers for lane, born, died in data["lives"])
    for number, (_, depth, boss, _) in enumerate(data["lanes"]):
        assert boss < number
        assert depth == (data["lanes"][boss][1] + 1 if boss >= 0 else 0)


def test_the_data_of_a_run_and_of_its_end() -> None:
    run = make_run()
    data = page_data(run)
    check(data)
    assert data["violation"]["event"] == len(run.events) - 1
    check(page_data(cut_off(make_run(), 60)))
    check(page_data(run_of([])))


@given(any_events(40))
def test_the_data_of_whatever_happens(events: list[Event]) -> None:
    check(Page(page_html(run_of(events))).data)


def test_a_large_run_stays_a_small_page() -> None:
    run = make_run(make_plan(5, (4, 8), num_tasks=700, cut_s=0.05))
    assert len(run.events) > 10_000
    assert len(page_html(run)) < 80 * len(run.events)
