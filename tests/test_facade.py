"""The facade: `triort` offers the names of the documented API and nothing else."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import triort
from triort._lazy import WHERE

ROOT = Path(__file__).resolve().parent.parent

VALUES = {"__version__"}
RUNNING = {"run", "Executor", "open_cluster", "open_client", "Client", "Job", "JobStatus", "NodeStatus"}
IN_A_TASK = {"get_runtime", "open_nursery", "Runtime", "Future"}
NODES = {"Manager", "Server", "ServerBase"}
ERRORS = {
    "TriortError",
    "UsageError",
    "ProtocolError",
    "BrokenPool",
    "ConnectionLost",
    "JobRejected",
    "StartupError",
    "TaskCancelled",
    "TaskTimeout",
    "TaskCrashed",
    "OutOfMemory",
    "RemoteError",
    "TaskInterrupted",
}
API = VALUES | RUNNING | IN_A_TASK | NODES | ERRORS


def facade() -> ast.Module:
    return ast.parse((ROOT / "triort" / "__init__.py").read_text(encoding="utf-8"))


def checked() -> list[ast.stmt]:
    """What type checkers read of the facade."""
    (block,) = [node for node in facade().body if isinstance(node, ast.If)]
    return block.body


def test_the_facade_re_exports_exactly_the_api() -> None:
    imports = [node for node in checked() if isinstance(node, ast.ImportFrom)]
    names = [alias.asname for node in imports for alias in node.names]
    assert sorted(str(name) for name in names) == sorted(API)


def test_the_facade_is_a_docstring_and_imports_of_the_form_x_as_x() -> None:
    assert ast.get_docstring(facade())
    for node in checked():
        assert isinstance(node, ast.ImportFrom), f"line {node.lineno}: only `from … import X as X` belongs here"
        assert node.level == 0, f"line {node.lineno}: a relative import"
        assert (node.module or "").startswith("triort."), f"line {node.lineno}: {node.module} is not ours to export"
        for alias in node.names:
            assert alias.asname == alias.name, f"line {node.lineno}: write `{alias.name} as {alias.name}`"


def test_what_is_imported_on_first_use_is_what_type_checkers_read() -> None:
    imports = [node for node in checked() if isinstance(node, ast.ImportFrom)]
    assert {alias.name: node.module for node in imports for alias in node.names} == WHERE


def test_what_a_user_sees_is_the_api() -> None:
    visible = {name for name in dir(triort) if not name.startswith("_")} | {"__version__"}
    submodules = {path.stem for path in (ROOT / "triort").iterdir()}
    assert visible - submodules == API
    with pytest.raises(AttributeError, match="module 'triort' has no attribute 'opn_cluster'"):
        triort.opn_cluster  # type: ignore[attr-defined]  # noqa: B018


def loaded(code: str, watched: set[str]) -> set[str]:
    """Which of these modules a fresh Python has after running the code."""
    code = f"import sys; {code}; print(*{watched} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_the_import_alone_loads_nothing_that_takes_long() -> None:
    assert loaded("import triort", {"trio", "attr", "msgspec", "triort._node", "triort._client"}) == set()


def test_what_begins_a_cluster_loads_nothing_that_takes_long_before_the_template_does() -> None:
    slow = {"trio", "attr", "msgspec", "ssl", "triort._core", "triort._wire", "triort._model"}
    assert loaded("import triort._node.template_start", slow) == set()
    assert loaded("import triort; triort.run", slow) == set()


def test_a_worker_loads_nothing_that_only_its_boss_needs() -> None:
    for_bosses = {"sqlite3", "triort._node.machine", "triort._node.spawning", "triort._core.node_core"}
    assert loaded("import triort._node.worker_entry", for_bosses) == set()


def test_every_public_name_has_a_docstring() -> None:
    assert [name for name in sorted(API - VALUES) if not (getattr(triort, name).__doc__ or "").strip()] == []


def test_every_error_is_a_triort_error_but_the_interrupt() -> None:
    strangers = {name for name in ERRORS if not issubclass(getattr(triort, name), triort.TriortError)}
    assert strangers == {"TaskInterrupted"}
    assert not issubclass(triort.TaskInterrupted, Exception)


def test_the_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert triort.__version__ == project["version"]
