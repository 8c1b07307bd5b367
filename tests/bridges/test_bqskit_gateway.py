"""Compilers of BQSKit's, unmodified, before the gateway."""

import importlib
import logging
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from multiprocessing.connection import Client as Connect
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bqskit", reason="BQSKit is not installed: pip install 'triort[bqskit]'")

from bqskit import Circuit
from bqskit.compiler import Compiler
from bqskit.compiler.status import CompilationStatus
from bqskit.runtime.message import RuntimeMessage

from tests._cli.commands import call, open_commands
from tests.bridges import bqskit_passes as passes
from tests.bridges.interrupting import interrupted

pytestmark = pytest.mark.processes

PROG = "triort-bqskit-server"


@pytest.fixture(scope="module")
def gateway():
    with open_commands() as commands:
        command = commands.start(PROG, "-n", "2", "-p", "0")
        command.port()
        yield command
        code, _, _ = command.end(signal.SIGINT)
        assert code == 0


@pytest.fixture
def compiler(gateway):
    with Compiler("127.0.0.1", int(gateway.port_there())) as compiler:
        yield compiler


def work(fn: Any, *args: Any) -> list[Any]:
    return [passes.Call(fn, *args)]


def test_it_compiles(compiler):
    circuit, data = compiler.compile(Circuit(2), work(passes.two_levels, 3), request_data=True, data={"some": "entry"})
    assert circuit.num_qudits == 2
    assert (data["out"], data["some"]) == ([[0, 1], [1, 4], [4, 9]], "entry")


def test_an_error_arrives_with_its_traceback_and_the_next_compiler_finds_all_in_order(gateway):
    port = int(gateway.port_there())
    with Compiler("127.0.0.1", port) as compiler, pytest.raises(RuntimeError) as caught:
        compiler.compile(Circuit(1), work(passes.failing_child))
    assert "ValueError: too bad" in str(caught.value.__cause__)
    with Compiler("127.0.0.1", port) as compiler:
        assert compiler.compile(Circuit(1), work(passes.pair, 1)).num_qudits == 1


def test_an_error_of_a_class_that_the_gateway_cannot_import_arrives_as_any_other(gateway, tmp_path, monkeypatch):
    own = "class OwnError(Exception):\n    pass\nasync def fail():\n    raise OwnError('too bad')\n"
    (tmp_path / "unknown_to_the_gateway.py").write_text(own)
    monkeypatch.syspath_prepend(tmp_path)
    fail = importlib.import_module("unknown_to_the_gateway").fail
    with Compiler("127.0.0.1", int(gateway.port_there())) as compiler, pytest.raises(RuntimeError) as caught:
        compiler.compile(Circuit(1), work(fail))
    assert str(caught.value.__cause__).endswith("unknown_to_the_gateway.OwnError: too bad")


def test_records_wait_until_the_client_can_take_them(compiler, caplog):
    with caplog.at_level(logging.INFO):
        task = compiler.submit(Circuit(1), work(passes.log_levels, 0))
        while compiler.status(task) != CompilationStatus.DONE:
            time.sleep(0.02)  # in BQSKit a record that comes now breaks the connection
        compiler.result(task)
    texts = [record.getMessage() for record in caplog.records if record.name == "own.x"]
    assert texts == [f"{level} at {depth}" for depth in range(3) for level in ("INFO", "ERROR")]
    assert {record.module for record in caplog.records if record.name == "own.x"} == {"bqskit_passes"}


def test_status_and_cancel(compiler):
    task = compiler.submit(Circuit(1), work(passes.leave_children, os.devnull + "/never"))
    assert compiler.status(task) == CompilationStatus.RUNNING
    assert compiler.cancel(task) is True
    assert compiler.status(task) == CompilationStatus.UNKNOWN
    assert compiler.compile(Circuit(1), work(passes.pair, 1)).num_qudits == 1
    with pytest.raises(RuntimeError) as caught:
        compiler.result(task)
    assert str(caught.value.__cause__) == "Unknown task."


def test_clients_do_not_disturb_each_other(gateway):
    port = int(gateway.port_there())
    with Compiler("127.0.0.1", port) as one, Compiler("127.0.0.1", port) as two:
        first = one.submit(Circuit(1), work(passes.two_levels, 20), True)
        second = two.submit(Circuit(1), work(passes.two_levels, 10), True)
        assert len(two.result(second)[1]["out"]) == 10
        two.submit(Circuit(1), work(passes.leave_children, os.devnull + "/never"))
        two.close()
        assert len(one.result(first)[1]["out"]) == 20


def test_ctrl_c_in_a_client_that_waits_ends_it_and_its_compilation(gateway, tmp_path: Path):
    mark = tmp_path / "started"
    script = (
        "import sys\nfrom bqskit import Circuit\nfrom bqskit.compiler import Compiler\n"
        "from tests.bridges.bqskit_passes import Call, leave_children\n"
        "with Compiler('127.0.0.1', int(sys.argv[1])) as compiler:\n"
        "    work = [Call(leave_children, path) for path in (sys.argv[2], '/dev/null/never')]\n"
        "    compiler.compile(Circuit(1), work)\n"
    )
    command = [sys.executable, "-c", script, gateway.port_there(), str(mark)]
    _, errors = interrupted(command, mark)
    assert b"KeyboardInterrupt" in errors


def test_what_is_no_client_of_bqskits_is_dropped(gateway):
    port = int(gateway.port_there())
    for data in (b"GET / HTTP/1.1\r\n\r\n", struct.pack("!i", 3) + b"abc", struct.pack("!i", 1 << 24)):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
            peer.sendall(data)
            assert peer.recv(100) == b""
    with Connect(("127.0.0.1", port)) as peer:
        peer.send((RuntimeMessage.CONNECT, []))
        assert peer.recv() == (RuntimeMessage.READY, None)
        peer.send((RuntimeMessage.SUBMIT, "no compilation"))
        with pytest.raises(EOFError):
            peer.recv()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for somebody else")
def test_a_process_of_another_user_is_refused_in_one_line(gateway):
    script = (
        "import os, sys\nfrom multiprocessing.connection import Client\nos.setuid(65534)\n"
        "peer = Client(('127.0.0.1', int(sys.argv[1])))\nprint(peer.recv_bytes())\n"
    )
    command = [sys.executable, "-c", script, gateway.port_there()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert "it belongs to uid 65534, and only uid 0 is served" in done.stdout


def test_it_can_use_a_running_server():
    with open_commands() as commands:
        *_, port = commands.small_tree()
        gateway = commands.start(PROG, "--connect", f"127.0.0.1:{port}", "-p", "0")
        with Compiler("127.0.0.1", int(gateway.port())) as compiler:
            _, data = compiler.compile(Circuit(1), work(passes.two_levels, 2), True)
            assert data["out"] == [[0, 1], [1, 4]]
        assert gateway.end(signal.SIGTERM) == (0, "", "")


def test_it_ends_with_one_line_when_the_server_that_it_uses_is_gone():
    with open_commands() as commands:
        server, *_, port = commands.small_tree()
        gateway = commands.start(PROG, "--connect", f"127.0.0.1:{port}", "-p", "0")
        with Compiler("127.0.0.1", int(gateway.port())) as compiler:
            server.end(signal.SIGTERM)
            with pytest.raises(RuntimeError):
                compiler.compile(Circuit(1), work(passes.pair, 1))
        code, out, err = gateway.end()
        assert (code, out) == (1, "")
        assert re.fullmatch(rf"{PROG}: error: [^\n]*closed the connection[^\n]*\n", err)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("-p", "1000000"), 2, "1000000 is not a port"),
        (("-n", "0"), 2, "num_workers is at least 1"),
        (("-t", "none"), 2, "'none' is not a number of threads"),
        (("-t", "0"), 2, "the threads of numeric libraries are at least 1, not 0"),
        (("--connect", "127.0.0.1:1", "-t", "2"), 2, "with --connect the server's managers have the workers"),
        (("--connect", "nonsense:port"), 2, "nonsense:port"),
    ],
)
def test_wrong_use_gets_one_line(words, code, text):
    done = call(PROG, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"{PROG}: error: ")
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_named(gateway):
    done = call(PROG, "-n", "1", "-p", gateway.port_there())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{PROG}: error: cannot listen on 127.0.0.1:{gateway.port_there()}: Address already in use\n"
