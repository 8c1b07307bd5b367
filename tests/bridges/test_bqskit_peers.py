"""Whose a connection is, by the kernel's table."""

import os
import socket
import sys

import pytest

pytest.importorskip("bqskit", reason="BQSKit is not installed: pip install 'triort[bqskit]'")

from triort.bridges.bqskit._peers import uid_of_peer

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the table is Linux's")


def test_a_connection_from_here_is_ours_and_a_closed_one_nobodys():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as peer:
            accepted, address = listener.accept()
            own = accepted.getsockname()
            assert uid_of_peer(own, address) == os.geteuid()
            assert uid_of_peer((own[0], own[1] ^ 1), address) is None
            peer.shutdown(socket.SHUT_WR)
            assert accepted.recv(1) == b""
            assert uid_of_peer(own, address) is None
        accepted.close()
