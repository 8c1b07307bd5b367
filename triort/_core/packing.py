"""How columns are cut into messages that no limit forbids: so many parts, and a header that fits into a frame."""

from collections.abc import Sequence
from typing import TypeVar

from triort._core.attempts import Attempt
from triort._model.limits import DIGEST_BYTES_MAX, FRAME_HEADER_BYTES_MAX
from triort._model.messages import TaskSpec

Item = TypeVar("Item")

SPECS_BYTES_MAX = FRAME_HEADER_BYTES_MAX // 2
"""How much of a header the specs of one batch may take; its columns take less than the other half."""
SPEC_BYTES = 170
DIGEST_BYTES = DIGEST_BYTES_MAX + 2


def batched(items: list[Item], size_max: int) -> list[list[Item]]:
    """The list in pieces; as it is, when it is short enough."""
    if len(items) <= size_max:
        return [items] if items else []
    return [items[start : start + size_max] for start in range(0, len(items), size_max)]


def spec_columns(tasks: Sequence[Attempt]) -> tuple[list[TaskSpec], list[int]]:
    """The specs of the first tasks, as many as fit into a header, and which of them each task has."""
    positions: dict[int, int] = {}
    specs: list[TaskSpec] = []
    spec_of: list[int] = []
    size = 0
    for attempt in tasks:
        spec = attempt.spec
        position = positions.get(id(spec))
        if position is None:
            if not specs or spec != specs[-1]:
                size += header_size(spec)
                if specs and size > SPECS_BYTES_MAX:
                    break
                specs.append(spec)
            position = positions[id(spec)] = len(specs) - 1
        spec_of.append(position)
    return specs, spec_of


def header_size(spec: TaskSpec) -> int:
    """An upper bound of the bytes that a spec takes in a header."""
    options = spec.options
    size = SPEC_BYTES + 4 * (len(spec.function_name) + len(options.name or "")) + DIGEST_BYTES * len(spec.blobs)
    for key, value in options.log_context.items():
        size += 10 + 4 * (len(key) + len(value))
    return size
