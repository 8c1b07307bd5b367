"""BQSKit on triort: another Compiler, the same passes. Needs pip install 'triort[bqskit]'."""

import argparse
from typing import Any

import bqskit
from bqskit import Circuit
from bqskit.compiler import BasePass
from bqskit.ir.gates import CircuitGate, CNOTGate, HGate, RZGate
from bqskit.passes import QuickPartitioner, UnfoldPass
from bqskit.runtime import get_runtime

from triort.bridges.bqskit import Compiler


def count_gates(block: Circuit) -> int:
    return int(block.num_operations)


class CountGatesOfBlocks(BasePass):
    """A pass of one's own: it counts the gates of each block, all blocks at once."""

    async def run(self, circuit: Circuit, data: Any) -> None:
        blocks = [operation.gate._circuit for operation in circuit if isinstance(operation.gate, CircuitGate)]
        data["gates"] = await get_runtime().map(count_gates, blocks, task_name="count")


def ladder(size: int) -> Circuit:
    circuit = Circuit(size)
    for qudit in range(size):
        circuit.append_gate(HGate(), qudit)
    for left in range(size - 1):
        circuit.append_gate(CNOTGate(), (left, left + 1))
        circuit.append_gate(RZGate(), left + 1, [0.1 + left])
        circuit.append_gate(CNOTGate(), (left, left + 1))
    return circuit


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=6, help="how many qubits (default: 6)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", type=int, default=-1, metavar="N", help="N workers (default: one per CPU)")
    where.add_argument("--connect", metavar="HOST:PORT", help="use a running triort-server")
    options = parser.parse_args()
    circuit = ladder(options.size)

    with Compiler(num_workers=options.n, address=options.connect) as compiler:
        workflow = [QuickPartitioner(3), CountGatesOfBlocks(), UnfoldPass()]
        _, data = compiler.compile(circuit, workflow, request_data=True)
        print(f"gates in all blocks: {sum(data['gates'])} of {circuit.num_operations}")

        compiled = bqskit.compile(circuit, optimization_level=1, seed=1, compiler=compiler)
        distance = compiled.get_unitary().get_distance_from(circuit.get_unitary(), 1)
        print(f"compiled, and the same: {distance < 1e-6}")


if __name__ == "__main__":
    main()
