"""BQSKit's programs give on triort what they give on BQSKit's own runtime; a share of ``tests.benchmarks.bqskit``."""

import pytest

pytest.importorskip("bqskit", reason="BQSKit is not installed: pip install 'triort[bqskit]'")

from bqskit import Circuit

from tests.benchmarks.bqskit import SIDES, leftovers, open_compiler, soak
from tests.benchmarks.bqskit_programs import compile_unitary, digest
from tests.bridges import bqskit_passes as passes
from triort.bridges.bqskit import Compiler

pytestmark = pytest.mark.processes


def test_with_equal_seeds_the_circuits_are_equal_embedded_through_the_gateway_and_in_bqskits_runtime():
    digests, distances = set(), []
    for side in SIDES:
        with open_compiler(side, 2) as compiler:
            circuit, distance = compile_unitary(2, 1)(compiler)
            digests.add(digest(circuit))
            distances.append(distance)
    assert len(digests) == 1
    assert max(distances) < 1e-7


def test_many_compilations_in_a_row_leave_nothing_in_the_books():
    with Compiler(num_workers=2) as compiler:
        soak(compiler, 30)
        assert leftovers(compiler) == []
        assert compiler.compile(Circuit(1), [passes.Call(passes.pair, 1)]).num_qudits == 1
