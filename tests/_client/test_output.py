"""What tasks print and log reaches their client."""

import logging

import pytest
import trio

import triort
from tests._client import jobs

pytestmark = pytest.mark.processes


@pytest.fixture
async def client():
    async with triort.open_cluster(2) as client:
        with trio.fail_after(90):
            yield client


async def test_prints_reach_the_streams_of_the_client(client, capsys):
    await client.run(jobs.say, "hello")
    said = capsys.readouterr()
    assert said.out == "hello\n"
    assert "hello on stderr\n" in said.err


async def test_the_streams_of_a_task_can_be_pickled(client):
    assert await client.run(jobs.pickled_streams) == [True, True]


async def test_log_records_reach_the_loggers_of_the_client_with_name_and_context(client, caplog):
    with caplog.at_level(logging.WARNING):
        await client.options(name="speaker", log_context={"run": "7"}).run(jobs.say, "word")
    records = [record for record in caplog.records if record.name == "tests.say"]
    assert [record.getMessage() for record in records] == ["word in the log"]
    assert records[0].task_name == "speaker"
    assert records[0].log_context == {"run": "7"}
    assert records[0].run == "7"


async def test_a_level_that_has_a_name_in_the_task_alone_keeps_it(client, caplog):
    with caplog.at_level(logging.WARNING):
        await client.run(jobs.note, "a note")
    assert [record.levelname for record in caplog.records if record.name == "tests.note"] == ["NOTE"]


async def test_records_below_the_clients_level_do_not_travel(client, caplog):
    with caplog.at_level(logging.ERROR):
        await client.run(jobs.say, "word")
    assert not [record for record in caplog.records if record.name == "tests.say"]


async def test_a_print_does_not_wait_for_the_end_of_a_task_that_keeps_the_cpu(client, capsys):
    job = await client.submit(jobs.print_then_spin, "early")
    with trio.fail_after(5):
        while "early" not in capsys.readouterr().out:
            await trio.sleep(0.01)
    await job.cancel()


async def test_a_flood_of_prints_harms_no_result(client, capsys):
    assert await client.run(jobs.print_lines, 50_000, 1_000) == 50_000
    assert await client.run(jobs.square, 4) == 16
    lines = set(capsys.readouterr().out.splitlines())
    notes = lines - {"x" * 1_000}
    assert all("lines were dropped, the link is too slow for them" in note for note in notes)


@pytest.mark.slow
async def test_a_gibibyte_of_prints_harms_no_result(client, capsys):
    with trio.CancelScope(shield=True):
        assert await client.run(jobs.print_lines, 1 << 20, 1_023) == 1 << 20
        assert await client.run(jobs.square, 4) == 16
    capsys.readouterr()
