"""``triort-server --journal``: one server at a time, and clear lines."""

import json
import signal
from pathlib import Path

import pytest

from tests._cli.commands import Commands, call

pytestmark = pytest.mark.processes


def test_jobs_run_on_a_server_with_a_journal_and_another_one_is_kept_out(commands: Commands, tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")
    manager = commands.start("triort-manager", "-p", "0", "-n", "1")
    server = commands.start("triort-server", f"127.0.0.1:{manager.port()}", "-p", "0", "--journal", journal)
    address = f"127.0.0.1:{server.port()}"
    done = call("triort", "run", "triort._cli.queens:search", "6", "(0,0,0)", "0", "--connect", address, "--json")
    assert (done.returncode, json.loads(done.stdout)[0]) == (0, 4)
    other = call("triort-server", "-p", "0", "--journal", journal)
    line = f"triort-server: error: the journal {journal} cannot be used: another server uses it\n"
    assert (other.returncode, other.stdout, other.stderr) == (1, "", line)
    assert server.end(signal.SIGTERM) == (0, "", "")


def test_a_journal_in_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = call("triort-server", "-p", "0", "--journal", str(tmp_path / "no" / "journal"))
    line = f"cannot be used: there is no folder {tmp_path / 'no'}\n"
    assert (done.returncode, done.stderr.count("\n"), done.stderr.endswith(line)) == (1, 1, True)
