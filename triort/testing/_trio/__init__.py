"""Trio under control: its chance, its schedule, its clock, and a wall against the world outside.

What has to be held so that one seed is one run, and where it is held:

- the order of ready tasks: `chance` takes hold of trio's own `Random`, `schedule` puts a shuffle on it;
- time, and what comes over the network: `clock`;
- real time, randomness, threads, sockets and processes in the code under test: `tripwires`;
- when garbage is collected, and in which order async generators are closed: `garbage`, `generators`.

Not held, and nothing may depend on it: the order in which trio calls the abort functions of several tasks that one
cancel hits, and the addresses in the texts of exceptions. Both differ from process to process.
"""
