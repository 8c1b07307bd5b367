"""A map over real files: parse the modules of an installed package and find its longest functions."""

import ast
import importlib.util
from pathlib import Path
from typing import NamedTuple

from _start import start

import triort

PACKAGE = "trio"
SHOWN = 5


class Found(NamedTuple):
    """A function, and how many lines it has."""

    lines: int
    name: str
    file: str


def functions_of(path: Path) -> list[Found]:
    """A task: all functions of one file, the longest first."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    found = [
        Found((node.end_lineno or node.lineno) - node.lineno + 1, node.name, path.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return sorted(found, reverse=True)


def files_of(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is not installed"
    return sorted(Path(folder) for root in spec.submodule_search_locations or [] for folder in Path(root).rglob("*.py"))


async def main(client: triort.Client, size: int) -> None:
    files = files_of(PACKAGE)[:size]
    per_file = await client.map(functions_of, files, progress=True)
    every = sorted((found for functions in per_file for found in functions), reverse=True)
    print(f"{PACKAGE}: {len(every)} functions in {len(files)} files")
    for found in every[:SHOWN]:
        print(f"{found.lines:5} lines  {found.name} in {found.file}")


if __name__ == "__main__":
    start(main, size=10_000, meaning="how many files at most")
