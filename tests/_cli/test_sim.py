"""The commands of ``triort sim``: verdicts, states, reports, smaller plans, differences."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests._cli.commands import call
from tests.testing.planted import lost_tasks_are_forgotten
from triort._cli.sim import COMMANDS, main
from triort.testing._plan.codec import dump_plan, load_plan
from triort.testing._plan.plan import PLAN_VERSION, Batch, Compute, Fault, FaultKind, Job, Plan, Task
from triort.testing._report.plans import show_plan
from triort.testing._seeds import Trial

TASK = Task("j0.0", [Compute(0.2), Batch([Task("j0.0.1.0", [Compute(0.1)]), Task("j0.0.1.1", [Compute(0.1)])])])
PLAN = Plan(PLAN_VERSION, 5, [2, 2], [Job("j0", [TASK])], [Fault(0.05, FaultKind.CRASH_WORKER, "m0.w1")], ["lan"])
HOPELESS = msgspec.structs.replace(PLAN, heal_s=0.01)
Write = Callable[[Plan], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_plan(plan: Plan, name: str = "plan.json") -> str:
        (tmp_path / name).write_text(dump_plan(plan))
        return str(tmp_path / name)

    return write_plan


class Ran:
    """What a command has come to, within this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: str) -> None:
        self.code = main(words)
        self.out, self.err = capsys.readouterr()


# -- replay ----------------------------------------------------------------------------------------------------------


def test_a_plan_that_passes_does_so_in_both_tiers(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "replay", write(PLAN))
    assert (ran.code, ran.err) == (0, "")
    first, second = ran.out.splitlines()
    assert re.fullmatch(
        r"seed 5, tier 1 passes: \d+ events, \d+ messages, [\d.]+ s of virtual time, trace \w{16}", first
    )
    assert second.startswith("seed 5, tier 2 passes: ")
    assert Ran(capsys, "replay", write(PLAN), "--tier", "2").out == second + "\n"


def test_faults_without_a_target_are_told(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    plan = msgspec.structs.replace(PLAN, faults=[Fault(0.05, FaultKind.CRASH_WORKER, "m0.w77")])
    assert Ran(capsys, "replay", write(plan), "--tier=1").out.endswith(", 1 fault without a target\n")


@pytest.mark.parametrize("tier", [1, 2])
def test_a_plan_that_fails_tells_its_story(tier: int, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(HOPELESS)
    ran = Ran(capsys, "replay", path, f"--tier={tier}")
    violation = Trial(tier).fails(HOPELESS)
    assert violation is not None
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith(f"Seed 5 failed the check {violation.check}\n")
    assert f"triort sim replay {path} --tier {tier}" in " ".join(ran.out.split())
    assert "The last of " in ran.out


def test_the_first_tier_that_fails_is_the_last_one_run(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "replay", write(HOPELESS), "--json")
    (verdict,) = json.loads(ran.out)
    violation = Trial(1).fails(HOPELESS)
    assert violation is not None
    assert ran.code == 1
    assert (verdict["tier"], verdict["passes"], verdict["check"]) == (1, False, violation.check)


def test_verdicts_can_be_read_by_programs(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = json.loads(Ran(capsys, "replay", write(PLAN), "--json").out)
    runs = [Trial(tier).run(PLAN) for tier in (1, 2)]
    assert [each["trace"] for each in verdicts] == [run.trace_hash for run in runs]
    assert [(each["tier"], each["passes"], each["events"]) for each in verdicts] == [
        (run.tier, True, run.num_events) for run in runs
    ]


@pytest.mark.parametrize("tier", [1, 2])
def test_a_run_stops_at_a_time_and_shows_the_state(tier: int, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "replay", write(PLAN), f"--tier={tier}", "--until", "0.1")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"seed 5, tier {tier} stopped at 0.1 s, after ")
    assert re.search(r"^running     j0\.0 on m\d\.w\d$", ran.out, flags=re.MULTILINE)
    assert "\nopen jobs   j0\n" in ran.out
    assert "▶ SubmitJob s" in ran.out


def test_a_run_that_is_over_before_that_time_passes_or_fails(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert "passes" in Ran(capsys, "replay", write(PLAN), "--tier=1", "--until=99").out
    ran = Ran(capsys, "replay", write(HOPELESS), "--tier=2", "--until=99")
    assert (ran.code, ran.out.startswith("Seed 5 failed")) == (1, True)


def test_reports_are_written_where_they_are_wanted(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, trace = tmp_path / "run.html", tmp_path / "run.json"
    ran = Ran(capsys, "replay", write(PLAN), "--html", str(page), "--trace", str(trace))
    assert ran.code == 0
    assert page.read_text().lower().startswith("<!doctype html>")
    assert len(json.loads(trace.read_text())["traceEvents"]) > 10


@pytest.mark.parametrize("words", ["p self.name", "up\np plan.seed", ""])
@pytest.mark.parametrize("tier", [1, 2])
def test_the_debugger_stops_where_a_check_fails(words: str, tier: int, write: Write) -> None:
    command = [sys.executable, "-m", "triort", "sim", "replay", write(HOPELESS), "--pdb", f"--tier={tier}"]
    script = f"where\n{words}\nquit\n" if words else ""
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=30, check=False)
    violation = Trial(tier).fails(HOPELESS)
    assert violation is not None
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"{violation.check}: ")
    assert f"_tier{tier}/run.py(" in done.stdout
    assert ("run_plan" in done.stdout) == bool(words)
    assert "Seed 5 failed the check " in done.stdout


def test_the_debugger_stays_away_from_what_passes(write: Write) -> None:
    command = [sys.executable, "-m", "triort", "sim", "replay", write(PLAN), "--pdb", "--until=0.1"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr, "(Pdb)" in done.stdout) == (0, "", False)


# -- shrink ----------------------------------------------------------------------------------------------------------


def test_a_smaller_plan_is_written_and_fails_as_the_first(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "small.json"
    plan = msgspec.structs.replace(PLAN, tree=[1], faults=[Fault(0.05, FaultKind.CRASH_WORKER, "s.w1")])
    with lost_tasks_are_forgotten():
        ran = Ran(capsys, "shrink", write(plan), "-o", str(small))
        plan = load_plan(small.read_text(), "it")
        violation = Trial(1).fails(plan)
    assert violation is not None
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(
        rf"{small}: 1 fault, 1 task, 1 node \(before: 1 fault, 3 tasks, 1 node\) after \d+ runs in [\d.]+ s; "
        rf"it fails {violation.check}: .*\n", ran.out,
    )  # fmt: skip
    assert Trial(1).fails(plan) is None


def test_without_a_file_the_smaller_plan_is_all_that_is_printed(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, "shrink", write(HOPELESS), "--tier=2")
    plan = load_plan(ran.out, "stdout")
    assert (ran.code, plan.faults, plan.tree) == (0, [], [1])
    assert ran.err.startswith("triort sim shrink: 0 faults, ")
    assert ran.err.count("\n") == 1


def test_the_figures_can_be_read_by_programs(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "shrink", write(HOPELESS), "--json")
    figures = json.loads(ran.out)
    assert (ran.code, ran.err, figures["tier"], figures["is_done"]) == (0, "", 1, True)
    assert figures["after"]["tasks"] <= figures["before"]["tasks"] == 3
    assert load_plan(json.dumps(figures["plan"]), "it").faults == []


def test_the_time_for_the_search_is_bounded(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "shrink", write(HOPELESS), "--seconds=0.000001", "--tier=2")
    assert ran.code == 0
    assert load_plan(ran.out, "it") == HOPELESS
    assert "the time was over before all was tried" in ran.err


def test_what_passes_is_not_shrunk(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(PLAN)
    ran = Ran(capsys, "shrink", path)
    text = f"triort sim shrink: error: {path} passes in both tiers, so there is nothing to shrink\n"
    assert (ran.code, ran.out, ran.err) == (2, "", text)
    assert "passes in tier 2" in Ran(capsys, "shrink", path, "--tier=2").err


# -- diff and show ---------------------------------------------------------------------------------------------------


def test_the_difference_of_two_plans_is_where_they_and_their_runs_part(
    write: Callable[[Plan, str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write(PLAN, "a.json"), write(HOPELESS, "b.json")
    ran = Ran(capsys, "diff", a, b)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("plans\n  heal_s: 60.0 → 0.01\nhow they end\n")
    assert f"{b}: fails liveness" in ran.out
    figures = json.loads(Ran(capsys, "diff", a, b, "--json", "--tier=1").out)
    assert (figures["tier"], figures["plans"]) == (1, ["heal_s: 60.0 → 0.01"])
    assert figures["first_different_event"] > 0


def test_a_plan_does_not_differ_from_itself(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(PLAN)
    figures = json.loads(Ran(capsys, "diff", path, path, "--json").out)
    assert (figures["plans"], figures["first_different_event"], figures["outcomes"]) == ([], None, [])
    assert set(figures["ends"]) == {"a", "b"}


def test_a_plan_is_shown(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(PLAN)
    ran = Ran(capsys, "show", path)
    assert (ran.code, ran.out, ran.err) == (0, show_plan(PLAN) + "\n", "")
    assert Ran(capsys, "show", path, "--json").out == dump_plan(PLAN)


@pytest.mark.processes
def test_signs_that_the_terminal_does_not_have_are_replaced(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = call("triort", "sim", "show", write(PLAN))
    assert (done.returncode, done.stderr) == (0, "")
    assert "|- j0.0.1.0" in done.stdout or "`- j0.0" in done.stdout


def test_every_command_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert all(f"\n  {name:<8}" in out for name in COMMANDS)
