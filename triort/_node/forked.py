"""What a process does between the fork from its template and the call of its entry."""

import ctypes
import faulthandler
import importlib
import os
import signal
import sys
import traceback
import types

from triort._node.assignment import Spawn

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """SIGKILL to this process when the thread of ``parent`` that forked it ends, however that happens."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # race 2 of the template: it had ended before we asked
        os._exit(1)


def close_all_but(kept: set[int]) -> None:
    """Race 6 of the template. The listing's own fd is in the listing too and closed by then."""
    for fd in {int(entry) for entry in os.listdir("/proc/self/fd")} - kept:
        try:
            os.close(fd)
        except OSError:
            pass


def run_entry(spawn: Spawn) -> int:
    """Call the worker's entry and turn its end into an exit code."""
    assignment = spawn.assignment
    sys.modules["__main__"] = types.ModuleType("__main__")  # the template is nothing that user code should find there
    sys.argv[1:] = []
    _reseed()
    faulthandler.enable(2)  # so that a segfault leaves its Python stack among the last words
    try:
        if assignment.cwd:
            os.chdir(assignment.cwd)
        sys.path[:] = list(dict.fromkeys([*assignment.sys_path, *sys.path]))
        importlib.invalidate_caches()
        if assignment.cpus is not None:
            os.sched_setaffinity(0, assignment.cpus)
        module, _, function = spawn.entry.partition(":")
        getattr(importlib.import_module(module), function)(assignment)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        sys.stderr.write(f"{error.code}\n")
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _reseed() -> None:
    """Draw random numbers of one's own: without this all forks of a template that has imported numpy draw the same."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
