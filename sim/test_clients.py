"""Clients that come and go: many, under one name, with jobs open when they leave."""

from __future__ import annotations

from sim.scenarios import scenario
from sim.workloads import crowd
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan
from triort.testing._plan.swarm import Faults, Features

MANY = Features.swarm().also("jobs", "clients", "later")


@scenario(seeds=4)
def test_clients_come_and_go(seed: int) -> Plan:
    return crowd(seed, [2, 2], 8)


@scenario(seeds=10, tiers=(1,))
def test_a_crowd_of_clients_comes_and_goes(seed: int) -> Plan:
    return crowd(seed, [2] * (1 + seed % 4), 30)


@scenario(seeds=4)
def test_second_clients_of_the_same_name_come_while_the_first_one_dies(seed: int) -> Plan:
    return generate(seed, size=25, faults=Faults.only("duplicate_client", "client_death"), features=MANY)


@scenario(seeds=40, tiers=(1,))
def test_clients_die_are_cut_off_and_cancel(seed: int) -> Plan:
    kinds = ("client_death", "duplicate_client", "cancel_job", "cancel_race", "clog", "slow_reader")
    return generate(seed, faults=Faults.only(*kinds), features=MANY)
