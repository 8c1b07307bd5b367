"""All planted bugs."""

from __future__ import annotations

from importlib import import_module

from sim.mutants.planting import MUTANTS, Mutant

MODULES = ("hops", "links", "backlog", "placement", "node", "jobs", "worker", "nodes", "tasks", "suspects", "failures")


def all_mutants() -> list[Mutant]:
    """All planted bugs, by the file that they change."""
    for module in MODULES:
        import_module(f"sim.mutants.{module}")
    return list(MUTANTS.values())
