"""The first moment of a template's process, which needs nothing that takes long to import.

The process imports for a while before it can fork workers. Whoever is going to import much, too, begins it before that,
and hands it on to who opens the template; so both import side by side.
"""

import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

BLAS_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip

Begun = tuple["subprocess.Popen[bytes]", socket.socket]
"""The process, and the boss's end of its control socket."""


def begin_process(
    blas_threads: int | None, *, preload: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Begun:
    """Start a template. Blocks for about a millisecond, so no cancel can come between the start and the return. Raises
    `StartupError`.

    It imports the modules ``preload``, too, so that each worker has them from the beginning; they must start no thread.
    ``variables`` are set in its environment, whatever is there.
    """
    if sys.platform != "linux" or not hasattr(os, "pidfd_open") or not sys.executable:
        _give_up("workers can be spawned on Linux only, by a Python that knows pidfds and sys.executable")
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as error:
        _give_up(f"no control socket for the template: {error}", error)
    ours.setblocking(False)
    with theirs:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "triort._node.template", str(theirs.fileno()), str(os.getpid()), *preload],
                stdin=subprocess.DEVNULL,
                env={**_environment(blas_threads), **(variables or {})},
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # by the new process itself, before Python starts: no moment for a Ctrl-C
            )
        except OSError as error:
            ours.close()
            _give_up(f"the template process could not be started: {error}", error)
    return process, ours


def _give_up(reason: str, cause: OSError | None = None) -> NoReturn:
    from triort._model.errors import StartupError  # with msgspec below it, which takes long

    raise StartupError(reason) from cause


class EarlyTemplate:
    """A template that has begun, for the first who takes it."""

    def __init__(self, begun: Begun) -> None:
        self._begun: Begun | None = begun
        self.pid = begun[0].pid

    def take(self) -> Begun | None:
        """The process, which is the caller's from now on; None if somebody has it."""
        begun, self._begun = self._begun, None
        return begun


@contextmanager
def open_early_template(
    blas_threads: int | None, *, preload: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Iterator[EarlyTemplate]:
    """Begin a template now; it is killed at the end of the context if nobody has taken it. Raises `StartupError`. See
    `begin_process` for the arguments."""
    early = EarlyTemplate(begin_process(blas_threads, preload=preload, variables=variables))
    try:
        yield early
    finally:
        begun = early.take()
        if begun is not None:
            process, control = begun
            control.close()
            process.kill()
            process.wait()


def _environment(blas_threads: int | None) -> dict[str, str]:
    """Ours, with a triort that can be imported also when it runs from a checkout."""
    environment = dict(os.environ)
    if blas_threads is not None:
        for variable in BLAS_VARIABLES:
            environment.setdefault(variable, str(blas_threads))
    root = str(Path(__file__).parents[2])
    if root not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    return environment
