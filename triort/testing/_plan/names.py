"""The names of nodes, jobs and tasks: what they may look like, and who is above whom."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

SERVER = "s"

_MANAGER = re.compile(r"m\d+(\.m\d+)*", re.ASCII)
_WORKER = re.compile(r"(s|m\d+(\.m\d+)*)\.[wx]\d+", re.ASCII)
_CLIENT = re.compile(r"c\d+", re.ASCII)
_TASK = re.compile(r"j\d+(\.\d+)+", re.ASCII)
_JOB = re.compile(r"j\d+", re.ASCII)


def is_manager(name: str) -> bool:
    """Whether a manager may be called so."""
    return _MANAGER.fullmatch(name) is not None


def is_worker(name: str) -> bool:
    """Whether a worker may be called so."""
    return _WORKER.fullmatch(name) is not None


def is_extra(name: str) -> bool:
    """Whether a worker that is there for one suspect alone may be called so."""
    return is_worker(name) and name.rpartition(".")[2].startswith("x")


def is_client(name: str) -> bool:
    """Whether a client may be called so."""
    return _CLIENT.fullmatch(name) is not None


def is_job(name: str) -> bool:
    """Whether a job may be called so."""
    return _JOB.fullmatch(name) is not None


def is_task(name: str) -> bool:
    """Whether a task may be called so."""
    return _TASK.fullmatch(name) is not None


def is_node(name: str) -> bool:
    """Whether a node (or a client) may be called so."""
    return name == SERVER or is_manager(name) or is_worker(name) or is_client(name)


def boss_of(node: str) -> str:
    """The node above: the server for clients, and for managers of the first level; nothing above the server."""
    if node == SERVER:
        return ""
    above, dot, _ = node.rpartition(".")
    return above if dot else SERVER


def is_below(node: str, above: str) -> bool:
    """Whether ``node`` is ``above`` itself or lies below it."""
    return node == above or node.startswith(above + ".") or (above == SERVER and node != SERVER)


def managers_of(tree: Sequence[int]) -> list[str]:
    """The managers of a tree, level by level."""
    return [name for level in range(1, len(tree)) for name in _managers_at(tree, level)]


def workers_of(tree: Sequence[int]) -> list[str]:
    """The first workers of a tree."""
    lowest = _managers_at(tree, len(tree) - 1) if len(tree) > 1 else [SERVER]
    return [f"{boss}.w{serial}" for boss in lowest for serial in range(1, tree[-1] + 1)]


def _managers_at(tree: Sequence[int], level: int) -> list[str]:
    positions = itertools.product(*(range(fan_out) for fan_out in tree[:level]))
    return [".".join(f"m{number}" for number in numbers) for numbers in positions]
