"""Wrong use of ``triort sim``, and its ends by signals: one readable line, the right exit code, nothing left over."""

import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests._cli.commands import Commands, call
from triort._cli.sim import main
from triort.testing._plan.codec import dump_plan
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Compute, Job, Plan, Task

PLAN = Plan(2, 5, [2], [Job("j0", [Task("j0.0", [Compute(0.1)])])])
TEXT = dump_plan(PLAN)
BAD = {
    "empty.json": ("", "it is empty"),
    "words.json": ("this is no JSON", "not JSON"),
    "truncated.json": (TEXT[: len(TEXT) // 2], "truncated"),
    "list.json": ("[1, 2]", "a plan is a JSON object, not a list"),
    "later.json": (TEXT.replace('"version": 2', '"version": 3'), "of plan version 3"),
    "field.json": (TEXT.replace('"seed"', '"sead"'), "sead"),
    "type.json": (TEXT.replace('"seed": 5', '"seed": "five"'), "$.seed"),
    "tree.json": (TEXT.replace("[2]", "[0]"), "fan-outs of at least 1"),
    "task.json": (TEXT.replace('"j0.0"', '"k0.0"'), "'k0.0'"),
    "nan.json": (TEXT.replace("0.1", "NaN"), "seconds"),
}
PROGRAMS = ["replay", "shrink", "show", "diff"]


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a command in wrong use says; it has printed nothing, and its code is 2."""
    code: object
    try:
        code = main(words)
    except SystemExit as exc:
        code = exc.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.count("\n") == 1, err
    assert err.startswith("triort sim")
    assert "error: " in err
    return err


def paths(command: str, path: str) -> list[str]:
    return [path, path] if command == "diff" else [path]


@pytest.mark.parametrize("command", PROGRAMS)
@pytest.mark.parametrize("name", BAD)
def test_a_file_that_holds_no_plan_is_told(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, expected = BAD[name]
    (tmp_path / name).write_text(text)
    line = told(capsys, command, *paths(command, str(tmp_path / name)))
    assert expected in line
    assert name in line


@pytest.mark.parametrize("command", PROGRAMS)
def test_a_file_that_cannot_be_read_is_told(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff\xfe")
    for path, expected in [
        (str(tmp_path / "nowhere.json"), "there is no file"),
        (str(tmp_path), "is a folder"),
        (str(tmp_path / "image.png"), "it is no text"),
        ("a\0b", "cannot be read"),
        ("x" * 5000, "cannot be read"),
    ]:
        assert expected in told(capsys, command, *paths(command, path))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "required: COMMAND"),
        ("dance", "'dance'"),
        ("replay", "required: PLAN.json"),
        ("diff only.json", "required: B.json"),
        ("replay plan.json --tier 3", "invalid choice: 3"),
        ("replay plan.json --until soon", "invalid virtual_time value: 'soon'"),
        ("replay plan.json --until nan", "'nan' is no time"),
        ("replay plan.json --html /no/such/folder/x.html", "cannot be written: there is no folder '/no/such/folder'"),
        ("replay plan.json --trace .", "'.' cannot be written: it is a folder"),
        ("shrink plan.json --seconds 0", "'0'"),
        ("shrink plan.json --seconds -3", "'-3'"),
        ("shrink plan.json extra", "unrecognized arguments: extra"),
        ("shrink hopeless.json -o /no/such/folder/x.json", "'/no/such/folder/x.json' cannot be written"),
    ],
)
def test_wrong_words_are_told(
    words: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.json").write_text(TEXT)
    Path("hopeless.json").write_text(dump_plan(msgspec.structs.replace(PLAN, heal_s=1e-3)))
    assert expected in told(capsys, *words.split())


@pytest.mark.processes
@pytest.mark.parametrize("command", ["", *PROGRAMS])
def test_help_is_there(command: str) -> None:
    words = ["triort", "sim", *([command] if command else [])]
    done = call(*words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {' '.join(words)} ")


@pytest.mark.processes
@pytest.mark.parametrize("command", ["replay", "shrink"])
def test_an_interrupt_ends_a_command_without_a_word(command: str, tmp_path: Path, commands: Commands) -> None:
    path = tmp_path / "long.json"
    plan = generate(1, size=20_000, tree=[4, 4])
    path.write_text(dump_plan(plan if command == "replay" else msgspec.structs.replace(plan, heal_s=1e-4)))
    script = (
        "import sys\n"
        "from triort._cli import main as cli\n"
        "from triort.testing._seeds import trials\n"
        "run = trials.run_tier2\n"
        "def told(*args, **kwargs):\n"
        "    print('running', flush=True)\n"
        "    return run(*args, **kwargs)\n"
        "trials.run_tier2 = told\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, "sim", command, str(path), "--tier=2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, set(out.split()) - {"running"}, err) == (130, set(), "")


@pytest.mark.processes
def test_nobody_who_reads_is_no_reason_to_complain(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(dump_plan(generate(1, size=3000)))
    show = subprocess.Popen(
        [sys.executable, "-m", "triort", "sim", "show", "--json", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert show.stdout is not None
    assert show.stderr is not None
    assert show.stdout.readline() == "{\n"
    show.stdout.close()
    assert (show.wait(30), show.stderr.read()) == (1, "")
    show.stderr.close()


@pytest.mark.processes
def test_other_commands_do_not_import_the_simulation() -> None:
    script = (
        "import sys; from triort._cli.main import main\n"
        "try: main(['status', '--connect', '127.0.0.1:1'])\n"
        "finally: print(*[name for name in sys.modules if name.startswith('triort.testing')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "\n"
