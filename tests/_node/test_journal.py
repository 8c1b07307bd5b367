"""The journal on disk: what is committed is there, whatever happens to the file and its log behind that."""

import random
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

import triort
from triort._core.journal import Write
from triort._model.ids import JobId
from triort._node import sqlite_journal
from triort._node.journal import Journal, JournalError
from triort._node.sqlite_journal import open_sqlite_journal

JOB, OTHER = JobId(1), JobId(2)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal")


async def load(path: str) -> list[tuple[JobId, bytes]]:
    store = await open_sqlite_journal(path)
    try:
        return await store.load()
    finally:
        await store.aclose()


async def test_records_are_there_in_order_and_erased_ones_are_not(path: str) -> None:
    store = await open_sqlite_journal(path)
    assert await store.load() == []
    await store.commit([Write(JOB, [b"a", b"b"]), Write(OTHER, [b"c"])])
    await store.commit([Write(JOB, [b"d"]), Write(OTHER, [])])
    await store.aclose()
    assert await load(path) == [(JOB, b"ab"), (JOB, b"d")]


async def test_a_large_record_lies_in_pieces(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_journal, "JOURNAL_PIECE_BYTES", 10)
    store = await open_sqlite_journal(path)
    data = [bytes(range(95)), bytes(20), bytes(range(9))]
    await store.commit([Write(JOB, [each]) for each in data])
    assert await store.load() == [(JOB, each) for each in data]
    await store.aclose()


async def test_a_second_server_is_kept_out_until_the_first_has_ended(path: str) -> None:
    store = await open_sqlite_journal(path)
    with pytest.raises(triort.StartupError, match="another server uses it"):
        await open_sqlite_journal(path)
    await store.aclose()
    assert await load(path) == []


@pytest.mark.parametrize("kind", ["no folder", "a folder", "no database", "another database", "another version"])
async def test_what_cannot_be_a_journal_is_refused_in_one_line(path: str, kind: str) -> None:
    if kind == "no folder":
        path = f"{path}/x/y"
    elif kind == "a folder":
        Path(path).mkdir()
    elif kind == "no database":
        Path(path).write_bytes(b"text" * 1_000)
    else:
        if kind == "another version":
            await load(path)
        db = sqlite3.connect(path)
        db.execute("pragma user_version=7" if kind == "another version" else "create table t (x)")
        db.close()
    with pytest.raises(triort.StartupError) as caught:
        await open_sqlite_journal(path)
    words = {
        "no folder": "there is no folder", "a folder": "unable to open database file",
        "no database": "not a database", "another database": "no journal of triort",
        "another version": "it has version 7, and this triort writes version 1",
    }  # fmt: skip
    assert words[kind] in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_journal_through_which_many_jobs_pass_stays_small(path: str) -> None:
    store = await open_sqlite_journal(path)
    payload = bytes(1_000)
    largest = 0
    for batch in range(200):
        jobs = [JobId(batch * 500 + number) for number in range(500)]
        await store.commit([Write(job, [payload]) for job in jobs])
        await store.commit([Write(job, []) for job in jobs])
        largest = max(largest, Path(path).stat().st_size + Path(f"{path}-wal").stat().st_size)
    assert largest < 16 << 20
    await store.aclose()


async def test_pages_are_given_back_after_a_peak(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_journal, "JOURNAL_FREE_PAGES_MAX", 100)
    store = await open_sqlite_journal(path)
    await store.commit([Write(JobId(number), [bytes(10_000)]) for number in range(1_000)])
    await store.commit([Write(JobId(number), []) for number in range(1_000)])
    for _ in range(40):
        await store.commit([Write(JOB, [b"x"])])
    await store.aclose()
    assert Path(path).stat().st_size < 2 << 20


async def test_every_acknowledged_record_survives_a_log_that_is_cut_at_any_byte(path: str, tmp_path: Path) -> None:
    """The state of the disk after each commit is a copy of file and log, and the next commit may have got anywhere."""
    store = await open_sqlite_journal(path)
    log = Path(f"{path}-wal")
    acknowledged: list[tuple[JobId, bytes]] = []
    sizes = []
    draw = random.Random(1)
    for number in range(12):
        records = [(JobId(1 + number % 3), draw.randbytes(draw.choice([3, 200, 6_000]))) for _ in range(3)]
        await store.commit([Write(job, [data]) for job, data in records])
        acknowledged += records
        sizes.append((log.stat().st_size, len(acknowledged)))
    content, whole = Path(path).read_bytes(), log.read_bytes()
    await store.aclose()
    ends = [size for size, _ in sizes]
    last = [draw.randrange(ends[-3], ends[-1] + 1) for _ in range(120)]
    cuts = {draw.randrange(ends[0], ends[-1] + 1) for _ in range(60)} | set(last)
    cuts |= {end + offset for end in ends for offset in (-1, 0, 1, 24)}
    copy = tmp_path / "copy"
    for cut in sorted(cuts):
        copy.write_bytes(content)
        Path(f"{copy}-wal").write_bytes(whole[:cut] + draw.randbytes(draw.choice([0, 0, 50])))
        durable = max((count for size, count in sizes if size <= cut), default=0)
        found = await load(str(copy))
        assert found[:durable] == acknowledged[:durable], cut
        assert found == acknowledged[: len(found)], cut
        for left in tmp_path.glob("copy*"):
            left.unlink()


async def test_a_log_in_use_can_be_copied_and_is_whole(path: str, tmp_path: Path) -> None:
    store = await open_sqlite_journal(path)
    await store.commit([Write(JOB, [b"x" * 5_000])])
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", tmp_path / f"copy{suffix}")
    assert await load(str(tmp_path / "copy")) == [(JOB, b"x" * 5_000)]
    await store.aclose()


class SlowStore:
    """A store whose commits take as long as the test likes."""

    def __init__(self) -> None:
        self.commits: list[list[Write]] = []
        self.go = trio.Event()
        self.closed = False
        self.error = ""

    async def load(self) -> list[tuple[JobId, bytes]]:
        return []

    async def commit(self, writes: Sequence[Write]) -> None:
        self.commits.append(list(writes))
        await self.go.wait()
        if self.error:
            raise JournalError(self.error)

    async def aclose(self) -> None:
        self.closed = True


async def test_what_gathers_while_the_disk_is_busy_is_one_commit() -> None:
    store, told = SlowStore(), list[object]()
    journal = Journal(store, told.append, told.append)
    writes = [Write(JOB, [b"%d" % number]) for number in range(5)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        for number, write in enumerate(writes):
            journal.put_nowait(number + 1, [write])
            await trio.testing.wait_all_tasks_blocked()
        assert (store.commits, told) == ([writes[:1]], [])
        store.go.set()
        await trio.testing.wait_all_tasks_blocked()
        assert (store.commits, told) == ([writes[:1], writes[1:]], [1, 5])
        nursery.cancel_scope.cancel()
    assert store.closed


async def test_a_store_that_fails_is_told_once_and_closed() -> None:
    store, told = SlowStore(), list[object]()
    store.error = "no space left"
    store.go.set()
    journal = Journal(store, told.append, told.append)
    journal.put_nowait(1, [])
    await journal.run()
    journal.put_nowait(2, [])
    assert (told, store.closed) == (["no space left"], True)


async def test_a_full_disk_is_one_line(path: str) -> None:
    store = await open_sqlite_journal(path)
    assert store._db is not None
    store._db.execute("pragma max_page_count=20")
    with pytest.raises(JournalError) as caught:
        await store.commit([Write(JOB, [bytes(200_000)])])
    assert str(caught.value) == f"{path}: database or disk is full"
    assert await store.load() == []
    await store.aclose()
