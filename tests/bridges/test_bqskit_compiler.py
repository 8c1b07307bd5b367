"""The drop-in for BQSKit's Compiler."""

import logging
import os
import pickle
import signal
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("bqskit", reason="BQSKit is not installed: pip install 'triort[bqskit]'")

import bqskit.compiler
from bqskit import Circuit
from bqskit.compiler.status import CompilationStatus

import triort
from tests._cli.commands import open_commands
from tests.bridges import bqskit_passes as passes
from tests.bridges.interrupting import interrupted
from triort.bridges.bqskit import Compiler

pytestmark = pytest.mark.processes


def call(fn: Any, *args: Any) -> list[Any]:
    return [passes.Call(fn, *args)]


def square_of(compiler: Any, x: int) -> Any:
    _, data = compiler.compile(Circuit(1), call(passes.pair, x), True)
    return data["out"][0]


def test_it_is_a_compiler_of_bqskits(compiler):
    assert isinstance(compiler, bqskit.compiler.Compiler)
    assert square_of(compiler, 3) == 9


def test_without_request_data_it_gives_the_circuit(compiler):
    circuit = compiler.compile(Circuit(2), call(passes.pair, 3), data={"some": "entry"})
    assert isinstance(circuit, Circuit)
    assert circuit.num_qudits == 2


def test_the_pass_data_begin_with_what_was_given(compiler):
    _, data = compiler.compile(Circuit(1), call(passes.pair, 3), request_data=True, data={"some": "entry"})
    assert data["some"] == "entry"


@pytest.mark.parametrize("fn", [passes.failing_child, passes.unseen_failure])
def test_an_error_arrives_as_runtime_error_with_its_traceback_and_its_cause(compiler, fn):
    with pytest.raises(RuntimeError, match="in fail\n") as caught:
        compiler.compile(Circuit(1), call(fn))
    assert isinstance(caught.value.__cause__, ValueError)
    assert square_of(compiler, 4) == 16


def test_several_compilations_run_at_once_and_one_that_fails_harms_no_other(compiler):
    tasks = [compiler.submit(Circuit(1), call(passes.two_levels, n), True) for n in range(1, 6)]
    failing = compiler.submit(Circuit(1), call(passes.failing_child))
    assert [len(compiler.result(task)[1]["out"]) for task in reversed(tasks)] == [5, 4, 3, 2, 1]
    with pytest.raises(RuntimeError, match="too bad"):
        compiler.result(failing)


def test_status_and_cancel(compiler):
    task = compiler.submit(Circuit(1), call(passes.leave_children, os.devnull + "/never"))
    assert compiler.status(task) == CompilationStatus.RUNNING
    assert compiler.cancel(task) is True
    assert compiler.status(task) == CompilationStatus.UNKNOWN
    for use in (compiler.result, compiler.cancel):
        with pytest.raises(RuntimeError, match=r"Unknown task\."):
            use(task)
    assert compiler.status(uuid.uuid4()) == CompilationStatus.UNKNOWN
    done = compiler.submit(Circuit(1), call(passes.pair, 1))
    while compiler.status(done) != CompilationStatus.DONE:
        time.sleep(0.01)
    compiler.result(done)
    assert compiler.status(done) == CompilationStatus.UNKNOWN


def test_it_may_be_used_from_several_threads(compiler):
    found: list[int] = []
    threads = [threading.Thread(target=lambda x=x: found.append(square_of(compiler, x))) for x in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [0, 1, 4, 9, 16]


def test_it_refuses_to_be_pickled(compiler):
    with pytest.raises(TypeError, match="a Compiler belongs to its process"):
        pickle.dumps(compiler)


def in_a_fork(fn: Any) -> str:
    """What a call raises in a process forked from this one."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        with open(write_end, "w") as there:
            try:
                fn()
            except Exception as exc:
                there.write(f"{type(exc).__name__}: {exc}")
        os._exit(0)
    os.close(write_end)
    with open(read_end) as here:
        said = here.read()
    assert os.waitpid(child, 0)[1] == 0
    return said


def test_a_process_that_is_forked_cannot_use_it_and_does_not_close_it(compiler):
    task = compiler.submit(Circuit(1), call(passes.pair, 1))
    text = "it belongs to the process that has forked this one"
    assert in_a_fork(lambda: square_of(compiler, 3)).endswith(text)
    assert in_a_fork(lambda: compiler.result(task)).endswith(text)
    assert in_a_fork(lambda: compiler.cancel(task)) == f"RuntimeError: The connection to the cluster is lost: {text}"
    assert in_a_fork(compiler.close) == ""
    assert compiler.result(task).num_qudits == 1


def test_what_cannot_be_pickled_is_named(compiler):
    with pytest.raises(RuntimeError, match=r"The compilation cannot be pickled: TypeError: .*lock"):
        compiler.compile(Circuit(1), call(passes.pair, 1), data={"lock": threading.Lock()})
    assert square_of(compiler, 2) == 4


@pytest.mark.parametrize(
    ("level", "depth_max", "expected"),
    [
        (logging.ERROR, -1, ["ERROR at 0", "ERROR at 1", "ERROR at 2"]),
        (logging.INFO, 1, ["INFO at 0", "ERROR at 0", "INFO at 1", "ERROR at 1"]),
        (None, 0, ["INFO at 0", "ERROR at 0"]),
    ],
)
def test_records_of_passes_reach_the_loggers_here(compiler, caplog, level, depth_max, expected):
    with caplog.at_level(logging.INFO):
        compiler.compile(Circuit(1), call(passes.log_levels, 0), logging_level=level, max_logging_depth=depth_max)
    assert [record.getMessage() for record in caplog.records if record.name == "own.x"] == expected


def test_with_debug_records_worker_and_context_stand_behind_the_text(compiler, caplog):
    with caplog.at_level(logging.DEBUG):
        compiler.compile(Circuit(1), call(passes.log_levels, 0))
    texts = [record.getMessage() for record in caplog.records if record.name == "bqskit.x"]
    assert [text.partition("[wid=")[0] for text in texts] == ["DEBUG at 0 ", "DEBUG at 1 ", "DEBUG at 2 "]
    assert [text.partition(", ")[2] for text in texts] == ["", "level0=yes]", "level0=yes, level1=yes]"]


def test_numeric_libraries_use_as_many_threads_as_were_asked_for(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    with Compiler(num_workers=1, num_blas_threads=3) as compiler:
        _, data = compiler.compile(Circuit(1), call(passes.environment, "OMP_NUM_THREADS"), True)
    assert data["out"] == ["3", "3"]


def test_closing_leaves_nothing_and_can_be_done_twice():
    before = psutil.Process().children(recursive=True)
    compiler = Compiler(num_workers=2)
    assert len(psutil.Process(compiler.p.pid).children()) == 2
    task = compiler.submit(Circuit(1), call(passes.leave_children, os.devnull + "/never"))
    compiler.close()
    compiler.close()
    assert psutil.Process().children(recursive=True) == before
    for use in (compiler.result, compiler.status, compiler.cancel):
        with pytest.raises(RuntimeError, match="This Compiler has been closed"):
            use(task)


@pytest.mark.parametrize(
    "ending", ["with Compiler(num_workers=2) as compiler:", "compiler = Compiler(num_workers=2)\nif 1:"]
)
def test_ctrl_c_ends_a_compilation_and_all_processes(tmp_path: Path, ending: str):
    mark = tmp_path / "started"
    script = (
        "from bqskit import Circuit\nfrom triort.bridges.bqskit import Compiler\n"
        "from tests.bridges.bqskit_passes import Call, leave_children\n"
        "async def stay(path):\n    open(path, 'w').close()\n    await leave_children('/dev/null/never')\n"
        f"{ending}\n    compiler.compile(Circuit(1), [Call(stay, {str(mark)!r})])\n"
    )
    code, errors = interrupted([sys.executable, "-c", script], mark)
    assert code != 0
    assert b"KeyboardInterrupt" in errors


def test_ctrl_c_closes_a_compiler_that_waits():
    before = psutil.Process().children(recursive=True)
    compiler = Compiler(num_workers=2)
    task = compiler.submit(Circuit(1), call(passes.leave_children, os.devnull + "/never"))
    timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        compiler.result(task)
    timer.join()
    assert psutil.Process().children(recursive=True) == before


def test_several_compilers_share_a_running_server():
    with open_commands() as commands:
        *_, port_text = commands.small_tree()
        port = int(port_text)
        with Compiler("127.0.0.1", port) as one, Compiler(address=f"127.0.0.1:{port}") as two:
            first = one.submit(Circuit(1), call(passes.two_levels, 20), True)
            assert square_of(two, 5) == 25
            with pytest.raises(RuntimeError, match="too bad"):
                two.compile(Circuit(1), call(passes.failing_child))
            with pytest.raises(RuntimeError, match=r"Unknown task\."):
                two.result(first)
            assert len(one.result(first)[1]["out"]) == 20


def test_where_no_server_is_one_line_says_so(monkeypatch):
    monkeypatch.setattr("triort._client.opening.DIAL_S", 0.2)
    with pytest.raises(triort.StartupError, match=r"^[^\n]*127\.0\.0\.1:9\b[^\n]*$"):
        Compiler("127.0.0.1", 9)
    for arguments, text in (
        ({"num_workers": 0}, "num_workers is at least 1"),
        ({"num_workers": None}, "num_workers is at least 1"),
        ({"ip": 8}, "ip is the host of a server, not 8"),
        ({"runtime_log_level": "DEBUG"}, "runtime_log_level is a level of logging"),
        ({"num_blas_threads": 0}, "the threads of numeric libraries are at least 1, not 0"),
        ({"ip": "localhost", "address": "localhost"}, "named once"),
        ({"address": "localhost:port"}, "port"),
    ):
        with pytest.raises(triort.UsageError, match=text):
            Compiler(**arguments)
