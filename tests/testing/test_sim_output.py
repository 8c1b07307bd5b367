"""What the tasks of a simulated test print and log: each line once, of the last run alone."""

import logging

import pytest

from tests.testing.sim_workflows import logger, say
from triort.testing import Sim, SimulatedTestFailed, sim_test


@sim_test(seeds=25)
async def speak(sim: Sim) -> None:
    print(f"the test, seed {sim.seed}")
    async with sim.client() as client:
        await client.run(say, f"a task, seed {sim.seed}")
        assert sim.oracle(say, "the oracle") == "the oracle"


def test_the_last_seed_alone_is_heard(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "workflow")
    speak()
    assert capsys.readouterr().out == "the test, seed 24\na task, seed 24\n"
    logged = [record.getMessage() for record in caplog.records if record.name == "workflow"]
    assert logged == ["logged a task, seed 24"]


def test_what_is_replayed_speaks_at_once_and_runs_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, tmp_path
) -> None:
    heard: list[str] = []

    @sim_test(seeds=5)
    async def listen(sim: Sim) -> None:
        async with sim.client() as client:
            await client.run(say, "now")
            heard.append(capsys.readouterr().out)

    caplog.set_level(logging.INFO, "workflow")
    (tmp_path / "plan.json").write_text('{"version": 2, "seed": 4, "tree": [2], "jobs": [], "test": "listen"}')
    monkeypatch.setenv("TRIORT_SIM_PLAN", str(tmp_path / "plan.json"))
    listen()
    assert heard == ["now\n"]
    assert [record.getMessage() for record in caplog.records if record.name == "workflow"] == ["logged now"]


def test_of_a_failure_the_told_run_is_heard(
    capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    @sim_test(seeds=10)
    async def fail(sim: Sim) -> None:
        print(f"seed {sim.seed}")
        await sim.sleep(0)
        assert sim.seed != 4

    with pytest.raises(SimulatedTestFailed, match="Seed 4 failed"):
        fail()
    assert capsys.readouterr().out == "seed 4\n"


def test_a_handler_of_the_test_hears_all(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    @sim_test(seeds=2)
    async def listen(sim: Sim) -> None:
        ear = Ear()
        logger.addHandler(ear)
        try:
            async with sim.client() as client:
                await client.run(say, "something")
        finally:
            logger.removeHandler(ear)

    caplog.set_level(logging.INFO, "workflow")
    listen()
    assert "logged something" in heard


def test_levels_are_as_they_are_outside(caplog: pytest.LogCaptureFixture) -> None:
    @sim_test(seeds=1)
    async def speak_low(sim: Sim) -> None:
        logging.getLogger("elsewhere").debug("nobody wants this")
        logging.getLogger("elsewhere").warning("but this")
        await sim.sleep(0)

    speak_low()
    assert [record.getMessage() for record in caplog.records if record.name == "elsewhere"] == ["but this"]
    assert logging.getLogger().level == logging.WARNING
