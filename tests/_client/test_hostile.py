"""What hostile or clumsy task code does to others: nothing."""

import io
import sys
import time

import pytest
import trio

import triort
from tests._client import hostile, jobs
from triort._model.limits import GRACE_S

pytestmark = pytest.mark.processes


@pytest.fixture
async def client():
    async with triort.open_cluster(2) as client:
        with trio.fail_after(60):
            yield client
            assert await client.map(jobs.square, range(100)) == [i * i for i in range(100)]
            assert (await client.status()).tasks == 0


async def test_a_result_that_exits_when_pickled_is_an_error_of_its_task(client):
    with pytest.raises(triort.RemoteError, match="cannot be pickled: SystemExit"):
        await client.run(hostile.return_hostile)
    assert (await client.status()).restarts == 0


@pytest.mark.parametrize(
    ("kind", "name"),
    [("text", "ExitWhenShown"), ("notes", "BadNotes"), ("stop", "RemoteError"), ("syntax", "SyntaxError")],
)
async def test_an_exception_that_misbehaves_arrives_and_harms_nobody(client, kind, name):
    assert await client.run(hostile.await_hostile, kind) == name
    assert (await client.status()).restarts == 0


async def test_threads_of_a_task_may_print(client, capsys):
    await client.run(hostile.print_in_threads, 6, 300_000)
    assert (await client.status()).restarts == 0
    await client.run(jobs.square, 1)
    assert capsys.readouterr().out.count("x") == 6 * 300_000


async def test_a_runtime_does_not_work_in_a_thread(client):
    assert "on the task's own thread" in await client.run(hostile.submit_in_a_thread)


async def test_an_odd_log_record_costs_nothing(client):
    assert await client.run(hostile.log_an_odd_record) == "logged"
    assert await client.run(hostile.log_a_file_name) == "logged"
    assert (await client.status()).restarts == 0


async def test_a_worker_that_has_lost_its_link_is_ended():
    async with triort.open_cluster(1) as client:
        with trio.fail_after(20), pytest.raises(triort.TaskCrashed):
            await client.run(hostile.close_everything_and_spin)


@pytest.mark.parametrize("num_workers", [1, 2])
async def test_a_child_that_ignores_its_deadline_is_killed_after_the_grace_time(num_workers):
    start = time.perf_counter()
    async with triort.open_cluster(num_workers) as client:
        with trio.fail_after(60):
            # On the worker of its parent the child takes that along, which would run again but for its crash_limit.
            try:
                said = await client.options(crash_limit=1).run(hostile.time_out_a_stubborn_child)
            except triort.TaskCrashed:
                said = "TaskCrashed"
            assert said in {"TaskTimeout", "TaskCrashed"}
    assert time.perf_counter() - start < 2 * GRACE_S


async def test_wide_characters_and_bytes_may_be_printed(client, capsys):
    await client.run(hostile.print_wide)
    await client.run(hostile.write_bytes)
    out = capsys.readouterr().out
    assert out.count("\N{GRINNING FACE}") == 500_000
    assert "raw \\xff bytes\n" in out


@pytest.mark.parametrize("num_workers", [1, 2])
async def test_a_deadline_around_next_only_stops_waiting(num_workers):
    async with triort.open_cluster(num_workers) as client:
        with trio.fail_after(20):
            assert await client.run(hostile.stop_waiting_for_next) == [0.4, 0.4]


async def test_a_cancelled_future_is_done(client):
    assert await client.run(hostile.cancel_and_ask) == (False, True)


async def test_a_callable_object_is_submitted_as_it_is_now(client):
    assert await client.run(hostile.submit_what_changes) == (1, 2)


async def test_a_ref_of_another_job_is_refused():
    async with triort.open_cluster(1) as client:
        with trio.fail_after(20):
            assert await client.run(hostile.keep_a_ref) == "kept"
            assert "put the value again" in await client.run(hostile.keep_a_ref)


async def test_options_of_the_wrong_type_are_refused_in_the_task(client):
    assert "wrong type" in await client.run(hostile.map_with_bad_context)
    assert "UTF-8" in await client.run(hostile.name_a_child_by_a_file)
    for bad in ({"name": 5}, {"priority": "x"}, {"log_context": {"a": 1}}, {"name": "x" * 1_000}, {"name": "\udcff"}):
        with pytest.raises(triort.UsageError):
            client.options(**bad)


async def test_result_is_refused_inside_an_event_loop_of_the_task(client):
    assert "in the task's own code" in await client.run(hostile.result_in_asyncio)


async def test_a_builtin_as_a_task_can_be_cancelled(client):
    start = time.perf_counter()
    with trio.move_on_after(0.2):
        await client.run(time.sleep, 100)
    assert time.perf_counter() - start < 1.5
    assert (await client.status()).restarts == 0


async def test_a_clients_stream_that_fails_ends_no_session(client, monkeypatch):
    class Deaf(io.StringIO):
        def write(self, text: str) -> int:
            raise UnicodeEncodeError("ascii", text, 0, 1, "deaf")

    monkeypatch.setattr(sys, "stdout", Deaf())
    await client.run(jobs.say, "hello")


async def test_crashing_jobs_slow_a_cluster_down_but_do_not_end_it():
    async with triort.open_cluster(2) as client:
        with trio.fail_after(60):
            for _ in range(8):
                with pytest.raises(triort.TaskCrashed):
                    await client.run(jobs.exit_process)
            assert await client.run(jobs.square, 5) == 25
            while (await client.status()).num_workers < 2:
                await trio.sleep(0.01)


async def test_a_deadline_that_is_over_causes_no_pokes():
    async with triort.open_cluster(1) as client:
        with trio.fail_after(20):
            assert await client.run(hostile.count_pokes_after_a_deadline) <= 2
