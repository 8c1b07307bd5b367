"""What a simulated test says when it fails: short, once, with the line that replays it; and what is no failure."""

from pathlib import Path

import pytest
import trio

import triort
from tests.testing.sim_workflows import fail_at_two, nested, square, state
from triort.testing import Faults, Sim, SimulatedTestFailed, Violation, always, buggify, sim_test, sometimes
from triort.testing._plan.codec import load_plan


@pytest.fixture(autouse=True)
def _folder_for_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def take_the_first(n: int) -> int:
    rt = triort.get_runtime()
    future = rt.map(square, range(n))
    ((index, _),) = (await rt.next(future))[:1]
    return index


@sim_test(seeds=20, faults=Faults.swarm())
async def first_is_zero(sim: Sim) -> None:
    async with sim.client() as client:
        assert await client.run(take_the_first, 4) == 0


def test_a_failure_is_told_shortly_and_written_down() -> None:
    with pytest.raises(SimulatedTestFailed) as caught:
        first_is_zero()
    text = str(caught.value)
    (file,) = Path("sim-failures").glob("first_is_zero-*/*.plan.json")
    assert text.startswith(f"Seed {load_plan(file.read_text(), '').seed} failed the check AssertionError at test_sim_f")
    assert f"TRIORT_SIM_PLAN={file} pytest" in text
    assert "The shrunk plan: 0 faults" in text
    assert "died: ended" not in text  # the shutdown of the cluster is no part of the story
    assert len(text.splitlines()) < 120
    assert isinstance(caught.value.__cause__, AssertionError)
    frames = caught.value.__cause__.__traceback__
    assert frames is not None
    assert frames.tb_frame.f_code.co_name == "first_is_zero"
    assert frames.tb_next is None


def test_a_failure_is_replayed_from_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SimulatedTestFailed):
        first_is_zero()
    (file,) = Path("sim-failures").glob("first_is_zero-*/*.plan.json")
    plan = load_plan(file.read_text(), str(file))
    assert plan.test.endswith("::test_a_failure_is_replayed_from_its_plan") or plan.test == "first_is_zero"
    monkeypatch.setenv("TRIORT_SIM_PLAN", str(file))
    with pytest.raises(SimulatedTestFailed, match=f"Seed {plan.seed} failed the check AssertionError"):
        first_is_zero()


def test_a_failure_inside_a_nursery_is_that_of_its_first_task() -> None:
    @sim_test(seeds=1)
    async def fail(sim: Sim) -> None:
        async def check() -> None:
            await sim.sleep(1.0)
            raise LookupError("nothing there")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(check)

    with pytest.raises(SimulatedTestFailed, match=r"LookupError at test_sim_failures\.py:\d+\n  nothing there"):
        fail()


def test_an_exception_of_a_task_fails_the_test_where_it_is_awaited() -> None:
    @sim_test(seeds=1)
    async def fail(sim: Sim) -> None:
        async with sim.client() as client:
            await client.map(fail_at_two, range(4))

    with pytest.raises(SimulatedTestFailed, match=r"NotToday at test_sim_failures\.py:\d+"):
        fail()


def test_always_fails_under_its_name() -> None:
    @sim_test(seeds=1)
    async def fail(sim: Sim) -> None:
        async with sim.client() as client:
            await client.map(state, [1, -1])

    with pytest.raises(SimulatedTestFailed, match="the check always\n  no negative number does not hold") as caught:
        fail()
    assert caught.value.__cause__ is None
    always(False, "outside nothing is checked")


def test_what_never_was_so_fails_the_test_at_its_end() -> None:
    @sim_test(seeds=3, marks=["reached", "never reached"])
    async def tame(sim: Sim) -> None:
        sometimes(sim.seed == 1, "reached")
        async with sim.client() as client:
            await client.map(state, range(3))

    with pytest.raises(SimulatedTestFailed, match=r"in 3 seeds .* never so: a large number, never reached;"):
        tame()


def test_a_lone_seed_need_not_reach_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    @sim_test(seeds=3)
    async def tame(sim: Sim) -> None:
        sometimes(sim.seed == 1, "reached")
        await sim.sleep(0)

    tame()
    monkeypatch.setenv("TRIORT_SIM_SEED", "2")
    tame()


def test_code_that_is_not_deterministic_is_told_as_such() -> None:
    count = iter(range(100))

    @sim_test(seeds=3)
    async def differ(sim: Sim) -> None:
        await sim.sleep(next(count))
        async with sim.client() as client:
            await client.run(square, 1)

    with pytest.raises(SimulatedTestFailed, match="is not deterministic: seed 0 went two ways"):
        differ()


def test_a_failure_that_does_not_come_again_is_told_as_not_deterministic() -> None:
    count = iter(range(100))

    @sim_test(seeds=3)
    async def fail_once(sim: Sim) -> None:
        await sim.sleep(1.0)
        assert next(count)

    with pytest.raises(SimulatedTestFailed, match="is not deterministic") as caught:
        fail_once()
    assert isinstance(caught.value.__cause__, AssertionError)


def test_a_wait_for_ever_is_a_deadlock_told_in_few_lines() -> None:
    @sim_test(seeds=1)
    async def wait(sim: Sim) -> None:
        await trio.sleep_forever()

    with pytest.raises(SimulatedTestFailed, match="the check deadlock") as caught:
        wait()
    head = str(caught.value).partition("Replay it")[0]
    assert "trio.sleep_forever" in head or "sleep_forever" in head
    assert len(head.splitlines()) < 6


def test_a_job_that_waits_for_managers_that_never_come_is_found() -> None:
    @sim_test(seeds=1, durations={square: 0.1})
    async def lose_all_managers(sim: Sim) -> None:
        async with sim.client() as client:
            job = await client.submit(nested, 5)
            await sim.sleep(0.05)
            for name in sim.managers:
                sim.crash(name)
            await job.result()

    with pytest.raises(SimulatedTestFailed):
        lose_all_managers()


@pytest.mark.parametrize("error", [pytest.skip.Exception, KeyboardInterrupt, SystemExit, triort.UsageError])
def test_what_is_no_failure_is_raised_as_it_is(error: type[BaseException]) -> None:
    @sim_test(seeds=3)
    async def leave(sim: Sim) -> None:
        async with sim.client() as client:
            await client.run(square, 1)
            raise error("as it is")

    with pytest.raises(error, match="as it is"):
        leave()
    assert not Path("sim-failures").exists()


def test_ctrl_c_in_a_task_ends_the_test() -> None:
    @sim_test(seeds=3)
    async def interrupted(sim: Sim) -> None:
        async with sim.client(), trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 5.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_pytest_s_own_failures_are_failures() -> None:
    @sim_test(seeds=2)
    async def raises_not(sim: Sim) -> None:
        async with sim.client() as client:
            with pytest.raises(LookupError):
                await client.run(square, 1)

    with pytest.raises(SimulatedTestFailed, match="DID NOT RAISE"):
        raises_not()


def test_points_for_rare_ways_are_on_in_some_seeds_and_off_in_others() -> None:
    flips: dict[int, set[bool]] = {}

    @sim_test(seeds=12, buggify=["rare"])
    async def flip(sim: Sim) -> None:
        flips[sim.seed] = {buggify("rare") for _ in range(50)}
        assert not buggify("another")
        await sim.sleep(0)

    flip()
    assert {False} in flips.values()
    assert {False, True} in flips.values()
    assert not buggify("rare")


def test_the_schedule_differs_from_seed_to_seed() -> None:
    orders: set[tuple[int, ...]] = set()

    @sim_test(seeds=10, levels=(2, 4))
    async def note(sim: Sim) -> None:
        async with sim.client() as client:
            orders.add(tuple([index async for index, _ in client.as_completed(square, range(6))]))

    note()
    assert len(orders) > 3


def test_one_simulation_at_a_time() -> None:
    @sim_test(seeds=1)
    async def inner(sim: Sim) -> None:
        await sim.sleep(1.0)

    @sim_test(seeds=1)
    async def outer(sim: Sim) -> None:
        inner()

    with pytest.raises(triort.UsageError, match="a simulation runs alone"):
        outer()


def test_violation_says_what_and_when() -> None:
    violation = Violation("books", "one too many", 2.5)
    assert (violation.check, violation.text, violation.time_s) == ("books", "one too many", 2.5)
    assert str(violation) == "books: one too many"
