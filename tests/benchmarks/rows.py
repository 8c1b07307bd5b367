"""All rows of the suite, in the order of its table."""

from __future__ import annotations

from tests.benchmarks.row import Row
from tests.benchmarks.subjects.cancels import CANCELS, INTERRUPTS
from tests.benchmarks.subjects.cold import COLD
from tests.benchmarks.subjects.cost import COST
from tests.benchmarks.subjects.data import DATA
from tests.benchmarks.subjects.flat import FLAT
from tests.benchmarks.subjects.levels import LEVELED
from tests.benchmarks.subjects.memory import MEMORY, MILLION, REST, SUBMITTED
from tests.benchmarks.subjects.spread import EARLY, SPREAD
from tests.benchmarks.subjects.tree import TREES
from tests.benchmarks.subjects.trips import MORE_TRIPS, TRIPS

ROWS: dict[str, Row] = {
    row.name: row
    for row in [
        FLAT, TREES, TRIPS, MORE_TRIPS, DATA, COLD, SPREAD, EARLY, CANCELS, INTERRUPTS,
        REST, MEMORY, MILLION, SUBMITTED, LEVELED, COST,
    ]
}  # fmt: skip
