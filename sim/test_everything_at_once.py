"""Everything at once: random trees, loads and faults of all kinds that triort has an answer to."""

from __future__ import annotations

from sim.scenarios import scenario
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan
from triort.testing._plan.swarm import Faults


@scenario(seeds=24)
def test_any_mix_of_faults_is_survived(seed: int) -> Plan:
    return generate(seed)


@scenario(seeds=24)
def test_any_mix_of_faults_is_survived_by_small_loads(seed: int) -> Plan:
    return generate(seed, size=12)


@scenario(seeds=30)
def test_without_faults_every_job_ends_as_it_would_in_one_process(seed: int) -> Plan:
    return generate(seed, faults=Faults.none())
