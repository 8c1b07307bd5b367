"""Planted bugs, one function each, grouped by the file of the product that they change: the judge of the simulation.

`sim.test_mutants` holds that the checks find each within some seeds; `python -m sim.mutants` prints how many each took.
Of the bugs that the design wants planted, three are about what the product does not have yet: a stale hello that is
accepted (there is no rejoin), no heartbeat, no job budget.
"""
