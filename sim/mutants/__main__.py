"""Hunts the bugs and prints how many plans it took: ``python -m sim.mutants [part of a name] [plans at most]``."""

from __future__ import annotations

import sys

from sim.mutants.catalogue import all_mutants
from sim.mutants.hunting import hunt, table


def main(part: str = "", plans_max: str = "") -> int:
    """Hunt those whose name or file has this part; 1 if one is not found."""
    hunts = []
    for mutant in all_mutants():
        if part in mutant.name or part in mutant.files:
            hunts.append(hunt(mutant, int(plans_max) if plans_max else None))
            print(hunts[-1].line, flush=True)
    print(table(hunts).splitlines()[-1])
    return int(any(each.run is None for each in hunts))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
