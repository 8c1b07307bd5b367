"""What holds for every test: it has access to a cluster of its own, and leaves no processes behind.

Around each test marked ``processes`` the state of this process is taken before and compared afterwards: its children
(all levels), its listening sockets and its file descriptors. An orphan is no descendant any more once its parent has
died, so the test's processes also carry a token in their environment by which they are found wherever they hang.
Things may take a moment to end; what is still there after a while fails the test, by name, and is then killed so that
it does not slow down those that follow. What a fixture of a wider scope holds open was there before.
"""

import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.access import own_access

TOKEN = "TRIORT_TEST_TOKEN"
SETTLE_S = 5.0
POLL_S = 0.01


def describe(process: psutil.Process) -> str:
    """One line about a process that may end while we look at it."""
    try:
        with process.oneshot():
            command = " ".join(process.cmdline())[:160] or process.name()
            return f"process {process.pid} (parent {process.ppid()}, {process.status()}): {command}"
    except psutil.Error:
        return f"process {process.pid}"


def carries(process: psutil.Process, token: str) -> bool:
    try:
        return process.environ().get(TOKEN) == token
    except (psutil.Error, OSError):
        return False


def processes(token: str) -> set[psutil.Process]:
    """Our descendants, and whatever else was started with the token."""
    me = psutil.Process()
    strays = {process for process in psutil.process_iter() if process != me and carries(process, token)}
    return strays | set(me.children(recursive=True))


def listeners() -> set[str]:
    """The sockets on which this process listens."""
    connections = psutil.Process().net_connections(kind="inet")
    return {f"listener on {c.laddr.ip}:{c.laddr.port}" for c in connections if c.status == psutil.CONN_LISTEN}


def descriptors() -> set[str]:
    """The open file descriptors of this process and what they lead to."""
    if not sys.platform.startswith("linux"):
        return set()
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"fd {entry.name}: {os.readlink(entry)}")
        except FileNotFoundError:
            continue  # the one that lists the folder
    return found


class Leftovers:
    """What is there now and was not there at the start."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.before = listeners() | descriptors()
        self.processes_before = processes(token)

    def processes(self) -> set[psutil.Process]:
        return processes(self.token) - self.processes_before

    def find(self) -> list[str]:
        strays = sorted(describe(process) for process in self.processes())
        return strays + sorted((listeners() | descriptors()) - self.before)

    def wait(self) -> list[str]:
        """What is still there once all has ended, or after `SETTLE_S` at most."""
        deadline = time.monotonic() + SETTLE_S
        while (found := self.find()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return found

    def kill(self) -> None:
        for process in self.processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue


@pytest.fixture(scope="session", autouse=True)
def access_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All tests are one cluster, and none sees what the user has."""
    with own_access(tmp_path_factory.mktemp("access") / "cluster") as folder:
        yield folder


@pytest.fixture(scope="session", autouse=True)
def audit() -> Iterator[None]:
    """No server or manager that is started unpickles anything: see `tests/audit`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent / "audit"), prepend=os.pathsep)
        yield


@pytest.fixture(autouse=True)
def nothing_is_left_over(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test marked ``processes`` that leaves a process, a listener or a file descriptor behind."""
    if request.node.get_closest_marker("processes") is None:
        yield
        return
    token = secrets.token_hex(8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TOKEN, token)
        leftovers = Leftovers(token)
        yield
    found = leftovers.wait()
    leftovers.kill()
    if found:
        pytest.fail("left over: " + "\n  ".join(found), pytrace=False)
