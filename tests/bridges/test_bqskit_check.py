"""Without BQSKit, or with another one than it was made for, the bridge says so in one line."""

import subprocess
import sys

import pytest

BLOCKED = "import sys\nsys.modules['bqskit'] = None\n"


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)


def test_without_bqskit_the_last_line_says_what_to_install():
    done = run(f"{BLOCKED}import triort.bridges.bqskit")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: triort.bridges.bqskit needs BQSKit: pip install 'triort[bqskit]'"
    )


def test_without_bqskit_the_command_says_it_in_its_only_line():
    done = run(f"{BLOCKED}from triort._cli.bqskit_server import main\nsys.exit(main(['-p', '0']))")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "triort-bqskit-server: error: triort.bridges.bqskit needs BQSKit: pip install 'triort[bqskit]'\n"
    )


@pytest.mark.parametrize("version", ["0.9.1", "1.1.0", "1.20", "2.0"])
def test_another_release_is_refused_by_its_number(version):
    fake = f"import sys, types\nsys.modules['bqskit'] = types.SimpleNamespace(__version__={version!r})\n"
    done = run(f"{fake}import triort.bridges.bqskit")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: triort.bridges.bqskit was made for BQSKit 1.2, not {version}: pip install 'triort[bqskit]'"
    )
