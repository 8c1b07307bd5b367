"""Seeds are tried and explained: tiers, runs done twice, tiers compared, neighbours, marks, reports, the story."""

import itertools
import pickle
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import attrs
import msgspec
import pytest

from tests.testing.planted import lost_tasks_are_forgotten
from triort._model.errors import UsageError
from triort._version import __version__
from triort.testing._events import Outcome
from triort.testing._plan.codec import load_plan
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Batch, Compute, Job, Plan, Task
from triort.testing._plan.swarm import Faults, Features
from triort.testing._run import Run
from triort.testing._seeds import Tried, check_seed, explain, trials, try_seed
from triort.testing._seeds.check import trials_of
from triort.testing._seeds.neighbours import passing_neighbour
from triort.testing._seeds.trials import NOT_DETERMINISTIC, SIMULATION_FAILED, TIERS_DIFFER, Trial, run_plan
from triort.testing._tier1.run import run_tier1


def make(seed: int) -> Plan:
    """A small plan without faults or races."""
    return generate(seed, size=12, faults=Faults.none(), features=Features.none(), tree=[2, 2])


def hopeless(seed: int) -> Plan:
    """A plan that takes longer than it may, in either tier."""
    return msgspec.structs.replace(make(seed), heal_s=1e-4)


@contextmanager
def latencies_drift() -> Iterator[None]:
    """Delays depend on how many there were in this process."""
    count = itertools.count()
    latency = Draws.latency

    def broken(self: Draws, *names: str | int) -> float:
        return latency(self, *names) + next(count) * 1e-6  # type: ignore[arg-type]

    with patch.object(Draws, "latency", broken):
        yield


def test_a_seed_that_passes_tells_its_marks_and_events() -> None:
    tried = try_seed(3)
    assert (tried.seed, tried.trial, tried.check, tried.text) == (3, None, "", "")
    assert tried.num_events > 100
    assert sum(tried.marks.values()) > 0
    marks = Counter({"other": 1})
    assert check_seed(3, marks=marks) is None
    assert marks == tried.marks + Counter({"other": 1})


@pytest.mark.parametrize("tiers", [(1,), (2,), (2, 1), (1, 2, 2)])
def test_the_first_tier_that_fails_is_told(tiers: tuple[int, ...]) -> None:
    tried = try_seed(1, hopeless, tiers=tiers)
    assert tried.trial == Trial(min(tiers))
    assert tried.check in {"livelock", "liveness"}
    assert "0.0001 s" in tried.text


def test_one_seed_in_twenty_is_run_twice() -> None:
    twice = [seed for seed in range(1000) if trials_of(seed, (1, 2))[0].is_twice]
    assert 30 <= len(twice) <= 70
    assert all(all(trial.is_twice for trial in trials_of(seed, (1, 2))) for seed in twice)
    assert [trial.is_compared for trial in trials_of(0, (2, 1))] == [False, True]
    assert [trial.is_compared for trial in trials_of(0, (2,))] == [False]


@pytest.mark.parametrize("tier", [1, 2])
def test_runs_that_differ_are_a_failure_with_the_point_where_they_part(tier: int) -> None:
    seed = next(seed for seed in range(100) if trials_of(seed, (tier,))[0].is_twice)
    plan = msgspec.structs.replace(make(seed), latency=["lan"])
    assert Trial(tier, is_twice=True).fails(plan) is None
    with latencies_drift():
        tried = try_seed(seed, lambda _: plan, tiers=(tier,))
        failure = explain(plan, Trial(tier, is_twice=True), replay_line="again", reports=None, shrink_s=5)
    assert tried.check == failure.check == NOT_DETERMINISTIC
    assert tried.trial == Trial(tier, is_twice=True)
    assert "events are the same" in tried.text or "event is the same" in tried.text
    assert "first:" in tried.text
    assert (failure.shrunk.jobs, failure.shrunk.faults) == ([], [])
    assert failure.shrunk.tree in ([1], [2])  # the smallest in which anything is sent


def test_tiers_that_end_a_plan_without_races_differently_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def liar(plan: Plan, **options: object) -> Run:
        run = run_tier1(plan)
        return attrs.evolve(run, outcomes={**run.outcomes, next(iter(run.outcomes)): Outcome("value", 99)})

    monkeypatch.setattr(trials, "run_tier1", liar)
    trial = Trial(2, is_compared=True)
    violation = trial.fails(make(1))
    assert violation is not None
    assert violation.check == TIERS_DIFFER
    assert violation.text.startswith("outcomes in tier 2 → tier 1\n")
    assert "→ value 99" in violation.text
    racy = Plan(2, 0, [1], [Job("j0", [Task("j0.0", [Batch([Task("j0.0.0.0", [Compute(1.0)])], cancel_after_s=1.0,
                catch=True)])])])  # fmt: skip
    assert trial.fails(racy) is None


def test_an_error_of_the_simulation_is_a_failure_of_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(plan: Plan, **options: object) -> Run:
        raise ZeroDivisionError("in the simulation")

    monkeypatch.setattr(trials, "run_tier1", broken)
    run = run_plan(make(1), 1)
    assert run.violation is not None
    assert run.violation.check == SIMULATION_FAILED
    assert "ZeroDivisionError: in the simulation" in run.violation.text


def test_a_failure_tells_its_whole_story_and_writes_its_reports(tmp_path: Path) -> None:
    with lost_tasks_are_forgotten():
        failure = check_seed(
            3, tiers=(1,), replay_line="pytest sim -k lost --sim-seed=3", reports=tmp_path / "deep" / "er"
        )
        assert failure is not None
        again = Trial(1).run(load_plan(failure.files[0].read_text(), "it"))
        whole = Trial(1).run(load_plan(failure.files[-1].read_text(), "it"))
    assert failure.text.startswith(f"Seed 3 failed the check {failure.check}\n")
    for piece in ("\n  pytest sim -k lost --sim-seed=3\n", "The shrunk plan: ", "The last of ", "Where it parts from a "
                  "passing run\n", "\nWritten\n", f"triort sim replay {failure.files[0]} --tier 1\n"):  # fmt: skip
        assert piece in failure.text
    names = ["plan.json", "trace.json", "html", "unshrunk.plan.json"]
    assert [path.name for path in failure.files] == [f"seed-3-tier-1.{name}" for name in names]
    assert [run.violation.check for run in (again, whole) if run.violation] == [failure.check] * 2
    assert again.plan == failure.shrunk
    assert again.plan.found == __version__
    assert whole.plan == failure.plan == generate(3)


def test_reports_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        explain(hopeless(1), Trial(1), replay_line="", reports=tmp_path / "file", shrink_s=1)


def test_what_passes_cannot_be_explained() -> None:
    with pytest.raises(UsageError, match="seed 1 passes in tier 2"):
        explain(make(1), Trial(2), replay_line="", reports=None)


def test_a_neighbour_is_as_much_like_the_failing_plan_as_can_be() -> None:
    with lost_tasks_are_forgotten():
        plan = generate(2, faults=Faults.only("crash_worker"), features=Features.none(), tree=[3])
        runs = [Trial(1).run(msgspec.structs.replace(plan, seed=seed), keep_all=True) for seed in range(20)]
        failing = next(run for run in runs if run.violation)
        passing = passing_neighbour(failing, Trial(1))
    assert passing is not None
    assert passing.violation is None
    assert passing.events[0] == failing.events[0]


def test_a_tried_seed_can_go_to_another_process() -> None:
    tried = try_seed(1, hopeless, tiers=(1,))
    assert pickle.loads(pickle.dumps(tried)) == tried
    assert isinstance(tried, Tried)
