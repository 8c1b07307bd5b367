"""The documented examples run and say what they should, and the pages show no Python that does not run.

An example is run as a reader would run it, as a script of its own. A Python block of a page either stands behind a
comment ``<!-- from: FILE -->`` and is then, line by line, a piece of that example, or it is a whole program and is run.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs" / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN_S = 60
BLOCK = re.compile(r"(?:^<!-- from: (?P<file>\S+) -->\n)?^```python\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

SAYS: dict[str, tuple[list[str], str]] = {
    "as_they_come": (["--size", "4"], "all: True\nin batches: True\nfirst: 0 0.0\n"),
    "bqskit_passes": (["--size", "3"], "gates in all blocks: 9 of 9\ncompiled, and the same: True\n"),
    "dask_arrays": (["--size", "10000"], "spread: 288.675\nthe same without triort: True\n"),
    "detached": (["--size", "100"], "running\nprimes below 100: 25\nand now it is forgotten\n"),
    "errors": (
        ["--size", "3"],
        "skipped: not a number: 'seven'\ncareful: 3\nhasty: not a number: 'seven'\nraised in: True\n"
        "no Exception: SystemExit: 3\nno worker any more: exit code 9\nthe cluster goes on: 42\n",
    ),
    "first_answer": (["--size", "16"], "300000800000437 = 10000019 × 30000023\nthe same inside a task: True\n"),
    "grid_search": (
        ["--size", "100"],
        "best: {'max_depth': 2, 'min_samples_leaf': 1}\nthe same without triort: True\n",
    ),
    "hello": (["--size", "3"], "hello, world\nfrom another process: True\n[3, 2, 1]\n"),
    "jobs": (
        ["--size", "2"],
        "slept for 0.1 s\ndone running\ncancelled\ntask endless has been cancelled\nworkers: True\n",
    ),
    "logs": (
        ["--size", "2"],
        "taking 2 steps\nINFO steps [step-0, run A7]: squaring 0\nINFO steps [step-1, run A7]: squaring 1\n1\n",
    ),
    "messages": (["--size", "3"], "3 children have heard the same: True\n"),
    "nested": (["--size", "4"], "4 books: 624 words\n"),
    "nursery": (["--size", "3"], "{0: 1, 1: 2, 2: 4}\n['not today']\n"),
    "optimize": (["--size", "40"], "at [1.0, 1.0, 1.0]\n"),
    "payments": (["--size", "4"], "settled: 4\neach charged once: True\n"),
    "pool": (
        ["--size", "300"],
        "231 takes 127 steps\nin a task, by the same pool: 127\ncancelled while it ran: True\n",
    ),
    "queens": (["--size", "8"], "8 queens: 92 ways\nas known: True\n"),
    "shared_value": (["--size", "1000"], "put: 32835000\ncached: 32835000\n"),
    "sync_wait": (["--size", "100"], "100 numbers in order: True\n"),
    "timeouts": (
        ["--size", "3"],
        "task nap did not end within 0.2 s\ntask spinner did not end within 0.2 s\nout of time: True\n"
        "and the workers are free: 45\n",
    ),
}


class Block(NamedTuple):
    """A Python block of a page."""

    page: Path
    line: int
    file: str | None
    text: str


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            yield Block(page, text.count("\n", 0, match.start()) + 1, match["file"], match["text"])


BLOCKS = list(blocks())


def name_of(block: Block) -> str:
    return f"{block.page.relative_to(ROOT)}:{block.line}"


def run_script(script: Path, *arguments: str) -> str:
    """What the script says on stdout; fails the test if the script fails."""
    command = [sys.executable, "-W", "error", str(script), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_in_the_list() -> None:
    names = {path.stem for path in EXAMPLES.glob("[!_]*.py")}
    assert names == {*SAYS, "longest_functions"}


@pytest.mark.processes
@pytest.mark.parametrize("name", sorted(SAYS))
def test_an_example_says_what_it_should(name: str) -> None:
    if name.startswith("bqskit"):
        pytest.importorskip("bqskit", reason="BQSKit is not installed: pip install 'triort[bqskit]'")
    arguments, expected = SAYS[name]
    assert run_script(EXAMPLES / f"{name}.py", *arguments, "-n", "2") == expected


@pytest.mark.processes
def test_the_longest_functions_of_some_real_files_are_found() -> None:
    said = run_script(EXAMPLES / "longest_functions.py", "--size", "12", "-n", "2").splitlines()
    assert re.fullmatch(r"trio: \d+ functions in 12 files", said[0])
    lengths = [int(line.split()[0]) for line in said[1:]]
    assert len(lengths) == 5
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.processes
def test_the_simulation_finds_what_the_test_on_real_workers_does_not(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", str(EXAMPLES / "payments.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=RUN_S)
    assert re.search(r"1 failed, 2 passed in", done.stdout), done.stdout
    assert re.search(r"PASSED \S*payments\.py::test_on_real_workers\n", done.stdout)
    assert re.search(r"PASSED \S*payments\.py::test_nobody_pays_twice\[settle_once\]\n", done.stdout)
    assert "Seed 3 failed the check AssertionError at payments.py:70\n" in done.stdout
    assert "The shrunk plan: 1 fault, 2 nodes" in done.stdout
    assert (tmp_path / "sim-failures").is_dir()


def test_the_pages_have_python_blocks_and_each_fence_is_understood() -> None:
    fences = sum(page.read_text(encoding="utf-8").count("```python\n") for page in PAGES)
    assert fences == len(BLOCKS) > 0


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.file], ids=name_of)
def test_a_block_from_an_example_is_a_piece_of_it(block: Block) -> None:
    example = (EXAMPLES / str(block.file)).read_text(encoding="utf-8")
    assert f"\n{block.text}" in f"\n{example}"


@pytest.mark.processes
@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.file], ids=name_of)
def test_any_other_block_is_a_program_that_runs(block: Block, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(block.text, encoding="utf-8")
    run_script(script)
