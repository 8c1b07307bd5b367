"""Wrong uses of `sim_test` and of its environment variables: each gets one line that says what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import triort
from tests.testing.sim_workflows import sleep_for, square
from triort.testing import Faults, Sim, sim_test
from triort.testing._plan.codec import dump_plan
from triort.testing._plan.generate import generate
from triort.testing._plan.swarm import Features


def ran(settings: dict[str, Any]) -> list[int]:
    """The seeds on which a test runs."""
    seeds: list[int] = []

    @sim_test(**settings)
    async def note(sim: Sim) -> None:
        seeds.append(sim.seed)
        await sim.sleep(0)

    note()
    return seeds


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"seeds": 0}, "seeds is a number of seeds, 1 or more, not 0"),
        ({"seeds": "3"}, "seeds is a number of seeds, 1 or more, not '3'"),
        ({"levels": ()}, "the tree is a list of fan-outs of at least 1"),
        ({"levels": (2, 0)}, "the tree is a list of fan-outs of at least 1"),
        ({"levels": 3}, r"levels are numbers of nodes, as in \(3, 4\), not 3"),
        ({"levels": ("a",)}, "levels are numbers of nodes"),
        ({"levels": (1000, 1000, 10)}, "nodes; at most"),
        ({"faults": "cut"}, r"faults are Faults\.swarm\(\), .* not 'cut'"),
        ({"faults": Features.swarm()}, r"faults are Faults\.swarm\(\)"),
        ({"faults": Faults.swarm}, r"faults are Faults\.swarm\(\)"),
        ({"latency": "lan"}, r"write: latency=\['lan'\]"),
        ({"latency": ["slow"]}, "there is no latency class 'slow'; there are memory, local"),
        ({"marks": "mark"}, r"write: marks=\['mark'\]"),
        ({"buggify": "point"}, r"write: buggify=\['point'\]"),
        ({"span_s": 0}, "span_s is a number of virtual seconds, more than 0, not 0"),
        ({"span_s": float("nan")}, "span_s is a number of virtual seconds"),
        ({"durations": {square: -1}}, "durations are of sync functions"),
        ({"durations": {sleep_for: 1.0}}, "durations are of sync functions"),
    ],
)
def test_wrong_settings_are_told_where_the_test_is_made(settings: dict[str, Any], line: str) -> None:
    with pytest.raises(triort.UsageError, match=line) as caught:
        sim_test(**settings)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["cut_it", "crashworker"])
def test_an_unknown_fault_is_told(name: str) -> None:
    with pytest.raises(triort.UsageError, match="unknown fault kind"):
        Faults.only(name)


def test_faults_that_need_the_jobs_of_a_plan_are_told() -> None:
    with pytest.raises(triort.UsageError, match="cancel_job hits the jobs of a plan"):
        sim_test(faults=Faults.only("cancel_job"))


def test_without_brackets_it_says_so() -> None:
    async def test(sim: Sim) -> None: ...

    with pytest.raises(triort.UsageError, match=r"@sim_test\(seeds=20\)"):
        sim_test(test)


def test_only_async_functions_of_sim_make_a_test() -> None:
    def sync_one(sim: Sim) -> None: ...

    async def without_sim() -> None: ...

    functions: list[Callable[..., Any]] = [sync_one, without_sim]
    for function in functions:
        with pytest.raises(triort.UsageError, match=rf"write: async def {function.__name__}\(sim\)"):
            sim_test()(function)


def test_the_number_of_seeds_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(set(ran({"seeds": 3}))) == [0, 1, 2]
    monkeypatch.setenv("TRIORT_SIM_SEEDS", "5")
    assert sorted(set(ran({"seeds": 3}))) == [0, 1, 2, 3, 4]
    monkeypatch.setenv("TRIORT_SIM_SEED", "77")
    assert set(ran({"seeds": 3})) == {77}


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("TRIORT_SIM_SEEDS", "0", "TRIORT_SIM_SEEDS is a number, 1 or more, not '0'"),
        ("TRIORT_SIM_SEEDS", "many", "TRIORT_SIM_SEEDS is a number, 1 or more, not 'many'"),
        ("TRIORT_SIM_SEED", "-1", "TRIORT_SIM_SEED is a number, 0 or more, not '-1'"),
        ("TRIORT_SIM_SEED", "²", "TRIORT_SIM_SEED is a number, 0 or more, not '²'"),
        ("TRIORT_SIM_SEED", "9" * 30, "the seed is a whole number from 0 to"),
        ("TRIORT_SIM_PLAN", "nowhere.json", "TRIORT_SIM_PLAN=nowhere.json: No such file or directory"),
        ("TRIORT_SIM_PLAN", ".", r"TRIORT_SIM_PLAN=\.: Is a directory"),
    ],
)
def test_a_wrong_variable_is_told(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(triort.UsageError, match=line) as caught:
        ran({"seeds": 1})
    assert len(str(caught.value).splitlines()) == 1


PLAN = '{"version": 2, "seed": 4, "tree": [2, 2], "jobs": [], "test": "tests/test_it.py::note[a-1]"}'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", r"plan\.json: it is empty, not a plan"),
        (PLAN[:40].encode(), r"plan\.json: it is truncated"),
        (PLAN.replace('"version": 2', '"version": 99').encode(), "plan version 99, and this triort reads version 2"),
        (b"\xff\xfe", r"plan\.json: it is no text, so no plan"),
        (b"[1]", "a plan is a JSON object, not a list"),
        (PLAN.replace("note", "another").encode(), r"is a plan of tests/test_it\.py::another\[a-1\], not of"),
        (dump_plan(generate(1)).encode(), r"is no plan of a test; replay it by: triort sim replay"),
    ],
)
def test_a_wrong_plan_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: bytes, line: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.json").write_bytes(text)
    monkeypatch.setenv("TRIORT_SIM_PLAN", "plan.json")
    with pytest.raises(triort.UsageError, match=line) as caught:
        ran({"seeds": 1})
    assert len(str(caught.value).splitlines()) == 1


def test_a_plan_s_tree_and_seed_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(PLAN.replace("[2, 2]", "[3]"))
    monkeypatch.setenv("TRIORT_SIM_PLAN", str(file))
    seen: list[tuple[int, list[str]]] = []

    @sim_test(seeds=1)
    async def note(sim: Sim) -> None:
        seen.append((sim.seed, sim.workers))
        await sim.sleep(0)

    note()
    assert set(map(str, seen)) == {"(4, ['s.w1', 's.w2', 's.w3'])"}
