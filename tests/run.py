"""All checks, in one command: style, formatting, types, floors, the built wheel, the oldest trio, the tests last.

Stops at the first failure. Arguments are handed to pytest.
"""

import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SECTION_S_MAX = 600
PYTEST = (sys.executable, "-m", "pytest")
GUARDS = ("tests/testing/test_trio_determinism.py", "tests/testing/test_guards_tier2.py")


class Failed(Exception):
    """A command of a section did not end with 0."""


class TooSlow(Failed):
    """It did not end at all, and was killed."""


def call(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command without stdin; raises `Failed` when it fails or takes too long."""
    words = [str(word) for word in command]
    try:
        code = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, timeout=SECTION_S_MAX).returncode
    except subprocess.TimeoutExpired:
        raise TooSlow(f"still running after {SECTION_S_MAX} s: {shlex.join(words)}") from None
    if code != 0:
        raise Failed(f"exit code {code}: {shlex.join(words)}")


def check_style() -> None:
    call(sys.executable, "-m", "ruff", "check", "--output-format=concise", ".")


def check_format() -> None:
    call(sys.executable, "-m", "ruff", "format", "--check", ".")


def check_types() -> None:
    call(sys.executable, "-m", "mypy")


def check_floors() -> None:
    call(BIN / "lint-imports", "--no-logo")


def check_wheel() -> None:
    """Build the wheel, install it alone into a fresh environment, and use it from there."""
    with tempfile.TemporaryDirectory(prefix="triort-wheel-") as name:
        folder = Path(name)
        python = folder / "venv" / "bin" / "python"
        call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT)
        (wheel,) = folder.glob("triort-*.whl")
        call(sys.executable, "-m", "venv", folder / "venv")
        call(python, "-m", "pip", "install", "-q", wheel)
        call(python, "-I", "-W", "error", "-c", "import triort", cwd=folder)
        call(python.parent / "triort", "--version", cwd=folder)


def check_oldest_trio() -> None:
    """The guards of determinism on the oldest trio that is supported; the tests at the end run them on the newest."""
    oldest = re.search(r'"trio>=([0-9.]+)"', (ROOT / "pyproject.toml").read_text())
    assert oldest is not None, "pyproject.toml names the oldest trio"
    with tempfile.TemporaryDirectory(prefix="triort-oldest-") as name:
        python = Path(name) / "venv" / "bin" / "python"
        call(sys.executable, "-m", "venv", Path(name) / "venv")
        pytest = ("pytest", "pytest-trio", "pytest-timeout", "hypothesis")
        call(python, "-m", "pip", "install", "-q", ROOT, f"trio=={oldest[1]}", *pytest)
        call(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *GUARDS)


def run_tests(arguments: Sequence[str]) -> None:
    """Those with real processes mostly wait; meanwhile the others and the simulations run, on what they leave of the
    CPUs."""
    if arguments:
        call(*PYTEST, "-m", "not slow", *arguments)
        return
    with tempfile.TemporaryFile("w+") as output:
        others = subprocess.Popen(
            ["nice", *PYTEST, "-m", "not slow and not processes", "-p", "no:cacheprovider", "tests", "sim"],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            call(*PYTEST, "-m", "not slow and processes", "tests")
            code = others.wait(SECTION_S_MAX)
        finally:
            others.kill()
            others.wait()
            output.seek(0)
            print(output.read(), flush=True)
    if code != 0:
        raise Failed(f"exit code {code} of the tests without processes")


CHECKS: dict[str, Callable[[], None]] = {
    "ruff check": check_style,
    "ruff format": check_format,
    "mypy --strict": check_types,
    "lint-imports": check_floors,
    "the built wheel": check_wheel,
    "the oldest trio": check_oldest_trio,
}


def main(arguments: Sequence[str]) -> int:
    """Run the checks in order, then pytest, whose summary is the last line."""
    for name, check in CHECKS.items():
        print(f"==== {name}", flush=True)
        start = time.monotonic()
        try:
            check()
        except Failed as failure:
            print(f"==== {name} failed after {time.monotonic() - start:.1f} s: {failure}", flush=True)
            return 1
        print(f"==== {name}: {time.monotonic() - start:.1f} s\n", flush=True)
    print("==== pytest", flush=True)
    try:
        run_tests(arguments)
    except TooSlow as failure:
        print(f"==== pytest failed: {failure}", flush=True)
        return 1
    except Failed:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
