"""The template and its workers as processes: how they start, end, and die with each other."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests._node.template_helpers import BOUND_S, exit_of, hear, is_alive, open_boss, spawn, wait_dead
from triort._model.errors import ConnectionLost, StartupError
from triort._node.spawning import SpawnedWorker, Template, WorkerExit, open_template

pytestmark = pytest.mark.processes


async def test_a_worker_is_a_process_group_of_its_own_that_can_run_trio() -> None:
    async with open_template() as template:
        worker = await spawn(template, 1, "facts", name="w1", cwd="/", cpus=[0])
        told = await hear(worker)
        assert told["pid"] == told["group"] == worker.pid
        assert (told["trio"], told["gc"], told["interrupt"], told["blocked"]) == (True, True, True, [])
        assert (told["cwd"], told["cpus"]) == ("/", [0])
        assert told["inheritable"] == [False, False]
        assert (await exit_of(template)).exit_code == 0


@pytest.mark.parametrize(
    ("entry", "exit_code", "number"),
    [("leave", 7, None), ("sys_exit", 3, None), ("fail", 1, None), ("abort", None, signal.SIGSEGV)],
)
async def test_the_exit_tells_code_or_signal(entry: str, exit_code: int | None, number: int | None) -> None:
    async with open_template() as template:
        worker = await spawn(template, 1, entry)
        ended = await exit_of(template)
        assert ended == WorkerExit(1, worker.pid, exit_code, number, ended.memory_bytes)
        assert worker.has_ended()


async def test_a_failing_entry_prints_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    async with open_template() as template:
        await spawn(template, 1, "fail")
        await exit_of(template)
    assert capfd.readouterr().err.endswith("ValueError: this traceback is meant to be seen\n")


async def test_an_entry_that_is_not_there_is_an_exit_with_code_1(capfd: pytest.CaptureFixture[str]) -> None:
    async with open_template() as template:
        await template.spawn(1, entry="no_such_module_at_all:run")
        assert (await exit_of(template)).exit_code == 1
    assert "No module named 'no_such_module_at_all'" in capfd.readouterr().err


async def test_the_exit_tells_the_most_memory_used() -> None:
    async with open_template() as template:
        await spawn(template, 1, "leave")
        small = await exit_of(template)
        await spawn(template, 2, "allocate")
        large = await exit_of(template)
        assert small.memory_bytes is not None
        assert large.memory_bytes is not None
        assert small.memory_bytes < 100 << 20 <= large.memory_bytes < 400 << 20


@pytest.mark.parametrize(
    "kill", [lambda template, worker: worker.kill(), lambda template, worker: template.kill_nowait(1)]
)
async def test_a_kill_takes_what_the_worker_has_spawned_with_it(
    kill: Callable[[Template, SpawnedWorker], None],
) -> None:
    async with open_template() as template:
        worker = await spawn(template, 1, "family")
        told = await hear(worker)
        assert is_alive(told["child"])
        kill(template, worker)
        assert (await exit_of(template)).signal == signal.SIGKILL
        await wait_dead(told["child"])
        kill(template, worker)  # nothing happens
    await wait_dead(told["loner"])


@pytest.mark.parametrize("environment", [{}, {"BOSS_FORKS": "1"}], ids=["alone", "its fork holds the sockets"])
async def test_nothing_outlives_a_boss_that_is_killed(environment: dict[str, str]) -> None:
    async with open_boss("family", "spin", **environment) as (boss, told):
        pids = [pid for line in told for pid in line.values()]
        assert all(map(is_alive, pids))
        assert len(pids) == 6
        boss.kill()
        await wait_dead(*pids)
        try:
            os.killpg(boss.pid, signal.SIGKILL)  # its fork
        except ProcessLookupError:
            assert not environment


async def test_workers_and_their_children_die_with_a_killed_template() -> None:
    async with open_template(name="m0") as template:
        told = [await hear(await spawn(template, node_id, "family")) for node_id in (1, 2)]
        os.kill(template.pid, signal.SIGKILL)
        line = rf"the template of m0 \(pid {template.pid}\) was killed by signal 9, and all its workers with it"
        with pytest.raises(ConnectionLost, match=line):
            await exit_of(template)
        with pytest.raises(StartupError, match=line):
            await spawn(template, 3, "wait")
        template.kill_nowait(1)  # nothing happens
        await wait_dead(*(pid for line in told for pid in line.values()))


async def test_a_worker_dies_with_its_template_even_if_the_boss_cannot_help() -> None:
    async with open_boss("await_poke") as (boss, told):
        template, worker = told[0]["template"], told[1]["pid"]
        os.kill(boss.pid, signal.SIGSTOP)
        os.kill(template, signal.SIGKILL)
        await wait_dead(worker)


async def test_a_template_that_is_terminated_ends_its_workers_first() -> None:
    async with open_template() as template:
        told = await hear(await spawn(template, 1, "family"))
        os.kill(template.pid, signal.SIGTERM)
        with pytest.raises(ConnectionLost, match="ended with exit code 0"):
            await exit_of(template)
        await wait_dead(*told.values())


async def test_a_template_that_cannot_import_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "greenlet.py").write_text("raise ImportError('a broken installation')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    async with open_template() as template:
        with pytest.raises(StartupError, match=r"ended with exit code 1 before it was ready \(its stderr tells why\)"):
            await spawn(template, 1, "wait")
    assert "a broken installation" in capfd.readouterr().err


async def test_a_fork_that_holds_the_link_open_does_not_hide_the_exit() -> None:
    async with open_template() as template:
        worker = await spawn(template, 1, "fork_and_leave")
        told = await hear(worker)
        assert (await exit_of(template)).exit_code == 5
        await wait_dead(told["child"])


async def test_ctrl_c_in_the_terminal_reaches_no_worker() -> None:
    async with open_boss("wait", "wait") as (boss, told):
        template, *workers = [line.get("template") or line["pid"] for line in told]
        assert {os.getsid(pid) for pid in workers} == {template}
        assert os.getsid(boss.pid) != template
        os.kill(template, signal.SIGINT)  # not even when somebody sends it
        os.kill(boss.pid, signal.SIGSTOP)  # so that the end of the boss is not what is seen below
        os.killpg(boss.pid, signal.SIGINT)
        assert all(map(is_alive, [template, *workers]))
        assert all(not pending_interrupt(pid) for pid in workers)
        os.kill(boss.pid, signal.SIGCONT)
        boss.wait(BOUND_S)
        await wait_dead(template, *workers)


def pending_interrupt(pid: int) -> bool:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["ShdPnd"], 16) >> (signal.SIGINT - 1) & 1)


async def test_numeric_libraries_get_one_thread_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    async with open_template(blas_threads=2) as template:
        environment = (await hear(await spawn(template, 1, "facts")))["environment"]
    assert (environment["OMP_NUM_THREADS"], environment["MKL_NUM_THREADS"]) == ("2", "7")
    async with open_template(blas_threads=None) as template:
        environment = (await hear(await spawn(template, 1, "facts")))["environment"]
    assert "OMP_NUM_THREADS" not in environment
