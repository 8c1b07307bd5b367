"""Killing all that a worker has started, and nothing else.

A number of a process group or session is given to no new process while a member of it is left or while its leader
has not been reaped. So these functions are exact as long as the caller has not reaped the leader yet; afterwards they
could hit a stranger.
"""

import os
import signal


def kill_group(leader: int) -> None:
    """SIGKILL to the process group of ``leader``, a child that has not been reaped. The kernel lets no fork slip
    through."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has no group yet or was its only member: nothing is left to kill


def kill_session(leader: int) -> None:
    """SIGKILL to every process of the session of ``leader`` (which has not been reaped), except the leader itself.

    This reaches groups that a task has made of its own, and the workers' children when the template has died first.
    A process may fork while the list is read, so it is read again until it shows nobody new; whoever has been signalled
    cannot fork any more, so this ends. What has called ``setsid`` itself has left for good, as daemons do.
    """
    signalled = {leader}
    while True:
        found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid not in signalled]
        members = [pid for pid in found if _kill_member(pid, leader)]
        if not members:
            return
        signalled.update(members)


def _kill_member(pid: int, session: int) -> bool:
    try:
        if os.getsid(pid) != session:
            return False
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # Race: between the two calls above the process may have ended and its number may have gone to another one. The
        # pidfd pins one process; ask again for the session now that it does.
        if os.getsid(pid) != session:
            return False
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True
