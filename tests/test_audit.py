"""The audit of all servers and managers that tests start: it is there, and it bites."""

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

UNPICKLE = "import pickle, collections; print(pickle.loads(pickle.dumps(collections.OrderedDict)))"


@pytest.mark.parametrize("name", ["triort._cli.server", "triort._cli.manager"])
def test_a_node_that_unpickles_is_ended(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", UNPICKLE, name], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGABRT
    assert done.stderr == "a server or manager has unpickled ('collections', 'OrderedDict')\n"


def test_others_may_unpickle() -> None:
    done = subprocess.run([sys.executable, "-c", UNPICKLE, "template"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
