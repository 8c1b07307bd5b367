"""Style as a test: what no linter holds for us.

Sizes, docstrings, a few forbidden calls, who may pickle, what may lie at the top level, links in the docs, and that
nothing in the tree tells on which machine it was written.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINES_PER_FILE_MAX = 300
LINES_PER_FUNCTION_MAX = 60

TOP_LEVEL = {"pyproject.toml", "triort", "tests", "sim", "docs", "README.md", "LICENSE"}
TOP_LEVEL_OF_AN_SDIST = {"PKG-INFO"}
GENERATED = {"__pycache__", "build", "dist"}
PICKLERS = {"pickle", "cloudpickle", "dill", "marshal", "shelve"}

MACHINE_PATH = re.compile(r"(?<![\w.~/:$}-])/(?:home|root|Users|work|farm|mnt|workspace|builds)/\w")
REGISTRY_HOST = re.compile(
    r"\b(?:pypi|pythonhosted|artifactory|devpi)\.(?:[\w-]+\.)*(?:org|com|net|io|internal|local)\b"
)


def git(*args: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *args], capture_output=True, text=True, timeout=30)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def in_a_checkout() -> bool:
    top = git("rev-parse", "--show-toplevel")
    return top is not None and Path(top.strip()).resolve() == ROOT


def walked() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(p in GENERATED or p.startswith(".") or p.endswith(".egg-info") for p in parts):
            yield path


def project_files() -> list[Path]:
    """What git tracks or would track; in an unpacked sdist, all that is there."""
    listing = git("ls-files", "-z", "--cached", "--others", "--exclude-standard") if in_a_checkout() else None
    if listing is None:
        return list(walked())
    return sorted(path for name in listing.split("\0") if name and (path := ROOT / name).is_file())


FILES = project_files()
MODULES = [p for p in FILES if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in {"triort", "sim", "tests"}]
PRODUCT = [p for p in MODULES if p.relative_to(ROOT).parts[0] == "triort"]
PAGES = [p for p in FILES if p.suffix == ".md" and p.relative_to(ROOT).parts[0] in {"docs", "README.md"}]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def parsed(path: Path) -> ast.Module:
    return ast.parse(read(path), filename=name_of(path))


def test_there_is_something_to_check() -> None:
    assert PRODUCT
    assert PAGES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    lines = len(read(path).splitlines())
    too_long = [
        f"{name_of(path)}:{node.lineno} {node.name}: {length} lines"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LINES_PER_FUNCTION_MAX
    ]
    assert lines <= LINES_PER_FILE_MAX, f"{name_of(path)} has {lines} lines"
    assert too_long == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_opens_with_a_sentence(path: Path) -> None:
    docstring = ast.get_docstring(parsed(path))
    assert docstring, f"{name_of(path)} has no docstring"
    first = docstring.splitlines()[0]
    opening = docstring.split("\n\n")[0]
    assert not first[0].islower(), f"{name_of(path)} opens in lower case: {first!r}"
    assert opening[-1] in ".?!:", f"{name_of(path)} does not open with a sentence: {first!r}"


def swallows(handler: ast.ExceptHandler) -> bool:
    """Whether a handler is bare, or takes everything and does nothing."""
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    takes_all = any(isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"} for kind in kinds)
    return takes_all and all(
        isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in handler.body
    )


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_error_is_swallowed_unseen(path: Path) -> None:
    handlers = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.ExceptHandler)]
    assert [f"{name_of(path)}:{node.lineno}" for node in handlers if swallows(node)] == []


def calls_print(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"


def sleeps(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and any(alias.name == "sleep" for alias in node.names)
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "sleep"
        and isinstance(node.value, ast.Name)
        and node.value.id == "time"
    )


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_the_product_neither_prints_nor_sleeps(path: Path) -> None:
    may_print = path.is_relative_to(ROOT / "triort" / "_cli")
    nodes = list(ast.walk(parsed(path)))
    prints = [node.lineno for node in nodes if isinstance(node, ast.Call) and calls_print(node)]
    naps = [node.lineno for node in nodes if isinstance(node, ast.ImportFrom | ast.Attribute) and sleeps(node)]
    assert may_print or prints == [], f"{name_of(path)} prints in lines {prints}"
    assert naps == [], f"{name_of(path)} blocks in time.sleep in lines {naps}"


def imported(node: ast.AST) -> set[str]:
    """The top-level packages that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    return {(node.module or "").partition(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def test_one_module_pickles_and_two_that_do_it_as_bqskit_does() -> None:
    picklers = {path for path in PRODUCT for node in ast.walk(parsed(path)) if imported(node) & PICKLERS}
    bqskits = {"triort/bridges/bqskit/_dill.py", "triort/bridges/bqskit/_wire.py"}
    assert {name_of(path) for path in picklers} <= {"triort/_wire/pickling.py", *bqskits}


def test_nothing_else_lies_at_the_top_level() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in FILES}
    allowed = TOP_LEVEL if in_a_checkout() else TOP_LEVEL | TOP_LEVEL_OF_AN_SDIST
    assert {name for name in names - allowed if not name.startswith(".")} == set()


def anchors(page: str) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#{1,6} +(.+?) *$", without_code(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def without_code(page: str) -> str:
    return re.sub(r"^(```|~~~).*?^\1", "", page, flags=re.MULTILINE | re.DOTALL)


def is_dead(page: Path, target: str) -> bool:
    file, _, anchor = target.partition("#")
    there = (page.parent / file).resolve() if file else page
    if not there.exists() or not there.is_relative_to(ROOT):
        return True
    return bool(anchor) and there.suffix == ".md" and anchor not in anchors(read(there))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = without_code(read(page))
    targets = re.findall(r"\]\(<?([^)\s>]+)>?(?: +\"[^\"]*\")?\)", text)
    targets += re.findall(r"^ {0,3}\[[^\]]+\]: +<?([^\s>]+)>?", text, flags=re.MULTILINE)
    relative = [target for target in targets if not re.match(r"[a-z][a-z0-9+.-]*:", target)]
    assert [target for target in relative if is_dead(page, target)] == []


def test_no_file_tells_where_it_was_written() -> None:
    found = []
    for path in FILES:
        try:
            text = read(path)
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line) or REGISTRY_HOST.search(line):
                found.append(f"{name_of(path)}:{number}: {line.strip()[:80]}")
    assert found == []
