"""What BQSKit is measured with: circuits, and what is made of them by its own passes. Nothing here knows of triort."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from typing import Any

import bqskit
import numpy as np
from bqskit import Circuit
from bqskit.ir.gates import CNOTGate, HGate, TdgGate, TGate, U3Gate
from bqskit.passes import (
    ForEachBlockPass,
    LEAPSynthesisPass,
    ParallelDo,
    QSearchSynthesisPass,
    QuickPartitioner,
    SetRandomSeedPass,
    UnfoldPass,
)
from bqskit.qis.unitary import UnitaryMatrix

SEED = 7

Made = tuple[Circuit, float]
"""A compiled circuit, and its distance from what it was made of."""


def adder(bits: int) -> Circuit:
    """Adds two numbers by ripple carry: 2 × bits + 1 qubits; 9 for 4 bits."""
    circuit = Circuit(2 * bits + 1)
    steps = [(2 * i, 2 * i + 1, 2 * i + 2) for i in range(bits)]
    for carry, one, other in steps:
        append(circuit, "cx", other, one)
        append(circuit, "cx", other, carry)
        append_toffoli(circuit, carry, one, other)
    for carry, one, other in reversed(steps):
        append_toffoli(circuit, carry, one, other)
        append(circuit, "cx", other, carry)
        append(circuit, "cx", carry, one)
    return circuit


def append(circuit: Circuit, name: str, *location: int) -> None:
    gates = {"cx": CNOTGate, "h": HGate, "t": TGate, "tdg": TdgGate}
    circuit.append_gate(gates[name](), location)


def append_toffoli(circuit: Circuit, one: int, two: int, target: int) -> None:
    append(circuit, "h", target)
    for control, gate in ((two, "tdg"), (one, "t"), (two, "tdg")):
        append(circuit, "cx", control, target)
        append(circuit, gate, target)
    append(circuit, "cx", one, target)
    for gate, qubit in (("t", two), ("t", target), ("h", target)):
        append(circuit, gate, qubit)
    append(circuit, "cx", one, two)
    append(circuit, "t", one)
    append(circuit, "tdg", two)
    append(circuit, "cx", one, two)


def compile_adder(bits: int, level: int) -> Callable[[Any], Made]:
    def program(compiler: Any) -> Made:
        circuit = adder(bits)
        made = bqskit.compile(circuit, optimization_level=level, seed=SEED, compiler=compiler)
        return made, distance(made, circuit.get_unitary())

    return program


def compile_unitary(qubits: int, level: int) -> Callable[[Any], Made]:
    def program(compiler: Any) -> Made:
        np.random.seed(SEED)
        target = UnitaryMatrix.random(qubits)
        made = bqskit.compile(
            target, optimization_level=level, seed=SEED, max_synthesis_size=max(qubits, 3), compiler=compiler
        )
        return made, distance(made, target)

    return program


def compile_near(level: int) -> Callable[[Any], Made]:
    """A random unitary of 4 qubits for which there is a circuit of 5 CNOTs. For any other it takes more than half an
    hour of CPU time to find one."""

    def program(compiler: Any) -> Made:
        draw = np.random.default_rng(SEED)
        circuit = Circuit(4)
        for pair in ((0, 1), (2, 3), (1, 2), (0, 3), (1, 3)):
            for qubit in pair:
                circuit.append_gate(U3Gate(), qubit, list(draw.uniform(0, 2 * np.pi, 3)))
            circuit.append_gate(CNOTGate(), pair)
        target = circuit.get_unitary()
        made = bqskit.compile(target, optimization_level=level, seed=SEED, max_synthesis_size=4, compiler=compiler)
        return made, distance(made, target)

    return program


def run_workflow(compiler: Any) -> Made:
    """Two ways to synthesize all blocks, side by side; the one with fewer CNOTs is kept."""
    circuit = adder(2)
    workflow = [
        SetRandomSeedPass(SEED),
        QuickPartitioner(3),
        ParallelDo(
            [[ForEachBlockPass([LEAPSynthesisPass()])], [ForEachBlockPass([QSearchSynthesisPass()])]], has_fewer
        ),
        UnfoldPass(),
    ]
    made = compiler.compile(circuit, workflow)
    return made, distance(made, circuit.get_unitary())


def has_fewer(one: Circuit, other: Circuit) -> bool:
    ours, theirs = one.copy(), other.copy()
    ours.unfold_all()
    theirs.unfold_all()
    return bool(ours.count(CNOTGate()) < theirs.count(CNOTGate()))


def distance(made: Circuit, target: Any) -> float:
    return float(made.get_unitary().get_distance_from(target, 1))


def digest(circuit: Circuit) -> str:
    """The same for circuits with the same gates, places and parameters, these to six digits: between two runs of the
    same program on BQSKit's own runtime they were seen to differ by 5e-10."""
    gates = [(op.gate.name, list(op.location), [round(float(value), 6) for value in op.params]) for op in circuit]
    return hashlib.sha256(json.dumps(gates).encode()).hexdigest()[:12]


PROGRAMS: dict[str, Callable[[Any], Made]] = {
    "workflow": run_workflow,
    **{f"adder{2 * bits + 1}-{level}": compile_adder(bits, level) for bits in (2, 4) for level in (1, 2, 3)},
    **{f"near4-{level}": compile_near(level) for level in (1, 2, 3)},
    **{f"unitary{qubits}-{level}": compile_unitary(qubits, level) for qubits in (3, 4) for level in (1, 2, 3)},
}

warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"bqskit\.|scipy\.|numpy\.")
