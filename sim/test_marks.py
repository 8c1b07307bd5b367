"""Everything at once, with the product's rare ways taken; and whether the runs have met all that is rare in it.

Each mark of the product (``sometimes("…")``) is demanded of a scenario that comes to it surely, so a change that
makes runs tame is found within the seeds of CI.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import triort
from sim.failures import one_survives
from sim.scenarios import SCENARIOS, scenario
from sim.workloads import BUGGIFY, alternating, behind, newborn, unlucky
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan

PRODUCT = Path(triort.__file__).parent
FLOORS = ("_client", "_core", "_node", "_transport", "_wire")
OFTEN = (
    "a child that raised is run again",
    "a loss waits for the ends of its descendants",
    "a lost task is submitted again",
    "a queued task is cancelled",
    "a task has crashed for good",
    "an idle count crosses what will make it wrong",
    "an item that raised is run again",
    "tasks behind a long one are recalled",
    "tasks without a place are asked back",
    "the deadline of an open child has passed",
)


@scenario(seeds=120, tiers=(1,), marks=OFTEN)
def test_any_mix_of_faults_is_survived_on_the_rare_ways(seed: int) -> Plan:
    return generate(seed, buggify=BUGGIFY)


@scenario(seeds=24, tiers=(2,), marks=OFTEN)
def test_any_mix_of_faults_is_survived_on_the_rare_ways_of_real_nodes(seed: int) -> Plan:
    return generate(seed, size=40, buggify=BUGGIFY)


@scenario(seeds=8, marks=("a loss is the answer that another loss waits for",))
def test_of_managers_that_run_a_family_of_tasks_all_but_one_may_die_at_once(seed: int) -> Plan:
    return one_survives(seed)


@scenario(seeds=8, marks=("a worker ends before its start is in the books",))
def test_workers_may_end_while_they_start(seed: int) -> Plan:
    return newborn(seed, [2, 1])


@scenario(seeds=8, marks=("a replacement does not start",))
def test_workers_may_be_cut_off_while_they_start(seed: int) -> Plan:
    return unlucky(seed, [2, 1])


@scenario(seeds=10, tiers=(1,), marks=("a task that comes back unstarted has been cancelled",))
def test_a_cancel_meets_tasks_that_are_on_their_way_back(seed: int) -> Plan:
    return behind(seed, [2, 2, 2])


@scenario(seeds=12, marks=("an async task is cancelled before its first step",))
def test_a_cancel_meets_the_first_step_of_an_async_task(seed: int) -> Plan:
    return alternating(seed, ([3], [1, 2], [2, 2])[seed % 3])


def called(name: str) -> set[str]:
    """The names at which the product calls this function of `triort._model.marks`."""
    nodes = [
        node
        for floor in FLOORS
        for path in sorted((PRODUCT / floor).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return {ast.literal_eval(call.args[0]) for call in calls if call.func.id == name}  # type: ignore[attr-defined]


def test_each_mark_of_the_product_is_demanded_of_some_scenario() -> None:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"sim.{path.stem}")
    demanded = {mark for each in SCENARIOS.values() if not each.expected for mark in each.marks}
    assert demanded == called("sometimes")


def test_scenarios_take_all_rare_ways_of_the_product() -> None:
    assert set(BUGGIFY) == called("buggify")
