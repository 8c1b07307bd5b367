"""Simulated clusters for tests: deterministic, on virtual time, with faults, replayed from one line."""

from triort._model.marks import buggify as buggify
from triort.testing._conditions import always as always
from triort.testing._conditions import compute as compute
from triort.testing._conditions import sometimes as sometimes
from triort.testing._events import Violation as Violation
from triort.testing._plan.swarm import Faults as Faults
from triort.testing._sim import Sim as Sim
from triort.testing._sim_test import sim_test as sim_test
from triort.testing._user_seeds import SimulatedTestFailed as SimulatedTestFailed
