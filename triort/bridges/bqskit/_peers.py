"""Whose process is at the other end of a TCP connection on this host, by the kernel's own table.

TCP has no SO_PEERCRED. But on loopback the other end is a socket of this host, too, and stands in ``/proc/net/tcp``
with the uid of its owner. Only an established one counts: once its process has closed it, the table says uid 0 or
nothing, whoever that was.
"""

from __future__ import annotations

import socket
import struct

ESTABLISHED = "01"
TABLE = "/proc/net/tcp"


def uid_of_peer(own: tuple[str, int], peer: tuple[str, int]) -> int | None:
    """The uid that owns the socket bound to ``peer`` and connected to ``own``, both IPv4 loopback addresses of this
    host; None if there is none (any more). Reads a file of the kernel's; raises `OSError`."""
    wanted = [_in_table(peer), _in_table(own), ESTABLISHED]
    with open(TABLE, encoding="ascii") as table:
        for line in table:
            words = line.split()
            if words[1:4] == wanted and words[9] != "0":
                return int(words[7])
    return None


def _in_table(address: tuple[str, int]) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"
