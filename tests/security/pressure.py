"""Many who only cost: handshakes that stall, connections that idle, descriptors that run out. Honest clients go on."""

from __future__ import annotations

import resource
import selectors
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, cast

import psutil

from tests.security.cluster import Cluster, open_cluster
from tests.security.peers import hello
from triort._access.access import Access
from triort._access.certificates import server_name
from triort._model.ids import JobId
from triort._model.limits import HANDSHAKE_S
from triort._model.messages import AttachJob, Beat, DrainRequest, Message, StatusRequest, Welcome
from triort._model.roles import Badge
from triort._wire.frames import FrameParser, encode

BEAT_S = 4.0
PATIENT = {"STALL_S": 600.0, "FENCE_S": 900.0, "STOP_S": 800.0}
"""A server that gives nobody up because this process, which plays so many clients, is late."""
LATE_S = 1.5
"""The time of a handshake begins when the node takes it from the system's queue, and here everything is busy."""
ROUNDS = 100
Figures = tuple[dict[str, Any], list[str]]


def allow_descriptors(count: int) -> None:
    """Raise this process's limit, as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def ms(seconds: list[float]) -> dict[str, float]:
    """Median, 99th percentile, and the slowest."""
    ordered = sorted(seconds)
    return {
        "median, ms": round(statistics.median(ordered) * 1e3, 1),
        "p99, ms": round(ordered[max(0, -(-len(ordered) * 99 // 100) - 1)] * 1e3, 1),
        "slowest, ms": round(ordered[-1] * 1e3, 1),
    }


def first_words() -> bytes:
    """How a handshake begins, as far as its first half."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    near, far = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(near, far, server_hostname="x.triort")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return far.read()[:100]


def run_stalled(number: int, rounds: int = ROUNDS) -> Figures:
    """So many begin a handshake and stop; honest clients come at once, one after the other."""
    allow_descriptors(2 * number + 200)
    with open_cluster(before="ulimit -n $(ulimit -Hn)") as cluster, ExitStack() as stack:
        cluster.ask()
        words = first_words()
        stalled: dict[socket.socket, float] = {}
        for each in range(number):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", cluster.port)))
            stalled[sock] = time.perf_counter()
            if each % 2:
                sock.sendall(words)
        took = [cluster.ask() for _ in range(rounds)]
        oldest_s = wait_gone(stalled)
        figures = {"stalled": number, "honest": rounds, **ms(took), "gone after, s": round(oldest_s, 2)}
        return figures, [*cluster.problems(), *judge(took, len(stalled))]


def judge(took: list[float], left: int) -> list[str]:
    wrong = [f"an honest client took {max(took):.2f} s"] if ms(took)["p99, ms"] > 1_000 else []
    return [*wrong, *([f"{left} stalled handshakes are still there"] if left else [])]


def wait_gone(since: dict[socket.socket, float]) -> float:
    """Wait until the other side has hung up on all of these, and take them out; how long the last one was there. Those
    that are there `LATE_S` too long are left."""
    oldest_s = 0.0
    with selectors.DefaultSelector() as selector:
        for sock in since:
            selector.register(sock, selectors.EVENT_READ)
        while since and time.perf_counter() < min(since.values()) + HANDSHAKE_S + LATE_S:
            for key, _ in selector.select(0.05):
                sock = cast(socket.socket, key.fileobj)
                if is_over(sock, 0):
                    selector.unregister(sock)
                    oldest_s = max(oldest_s, time.perf_counter() - since.pop(sock))
    return oldest_s


def is_over(sock: socket.socket, until: float) -> bool:
    """Whether the other side has hung up by then."""
    sock.settimeout(max(0.001, until - time.perf_counter()))
    try:
        while sock.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


class Idler:
    """A client that has been let in, and does nothing but to live."""

    def __init__(self, cluster: Cluster, context: ssl.SSLContext, name: str) -> None:
        sock = socket.create_connection(("127.0.0.1", cluster.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(sock, server_hostname=name)
        self.tls.sendall(hello(cluster.authority.cluster))
        (message, _), *_ = FrameParser().feed(self.tls.recv(65_536))
        assert isinstance(message, Welcome), message

    def beat(self) -> None:
        """Say that it lives."""
        self.tls.sendall(_BEAT)


_BEAT = b"".join(encode([(Beat(0), [])]))


def run_idle(number: int) -> Figures:
    """So many clients that idle; what each takes of the server's memory, and how long others wait for an answer."""
    allow_descriptors(number + 200)
    with open_cluster(before="ulimit -n $(ulimit -Hn)", limits=PATIENT) as cluster:
        credentials = Access(Badge.CLIENT, cluster.files).load()
        server = psutil.Process(cluster.server.pid)
        before_s, before = [cluster.ask() for _ in range(20)], server.memory_info().rss
        idlers: list[Idler] = []
        beaten = time.perf_counter()
        for _ in range(number):
            idlers.append(Idler(cluster, credentials.dialling, server_name(credentials.file.cluster)))
            if time.perf_counter() - beaten > BEAT_S:
                beaten = time.perf_counter()
                for idler in idlers:
                    idler.beat()
        rss = server.memory_info().rss
        cpu = server.cpu_times()
        took = [cluster.ask() for _ in range(20)]
        start = time.perf_counter()
        while time.perf_counter() - start < BEAT_S:
            time.sleep(0.1)
        for idler in idlers:
            idler.beat()
        spent = sum(server.cpu_times()[:2]) - sum(cpu[:2])
        figures = {
            "idle": number,
            "KiB each": round((rss - before) / number / 1024, 1),
            "without them, ms": ms(before_s)["median, ms"],
            "with them": ms(took),
            "CPU of the server meanwhile, %": round(100 * spent / (time.perf_counter() - start)),
        }
        alive = sum(not is_over(idler.tls, 0) for idler in idlers[:50])
        problems = cluster.problems() if alive == min(50, number) else ["some that idle were hung up on"]
        for idler in idlers:
            idler.tls.close()
        return figures, problems


QUESTIONS: dict[str, Callable[[int], Message]] = {
    "status": StatusRequest,
    "attach": lambda number: AttachJob(number, JobId(5)),
    "drain": lambda number: DrainRequest(number, "nobody"),
}


def run_questions(number: int) -> Figures:
    """A client that asks so many times and reads no answer; honest ones beside it, and the server's memory."""
    figures: dict[str, Any] = {"questions": number}
    wrong: list[str] = []
    with open_cluster(workers=1) as cluster:
        credentials = Access(Badge.CLIENT, cluster.files).load()
        server = psutil.Process(cluster.server.pid)
        cluster.ask()
        for kind, make in QUESTIONS.items():
            rss = server.memory_info().rss
            asker = Idler(cluster, credentials.dialling, server_name(credentials.file.cluster))
            words = b"".join(b"".join(encode([(make(each + 1), [])])) for each in range(number))
            sender = threading.Thread(target=_say, args=(asker.tls, words))
            sender.start()
            took = [cluster.ask()]
            while sender.is_alive():
                took.append(cluster.ask())
            asker.tls.close()
            mib = (server.memory_info().rss - rss) >> 20
            figures[kind] = {**ms(took), "MiB": mib}
            wrong += [f"{kind}: an honest client took {max(took):.2f} s"] if max(took) > 2 else []
            wrong += [f"{kind}: {mib} MiB"] if mib > 200 else []
        return figures, [*wrong, *cluster.problems()]


def _say(tls: ssl.SSLSocket, words: bytes) -> None:
    with suppress(OSError):  # it is hung up on
        tls.sendall(words)


def run_exhausted(descriptors: int) -> Figures:
    """A server that may open so few descriptors, and somebody who takes them all; then he lets go."""
    allow_descriptors(4 * descriptors + 200)
    with open_cluster(before=f"ulimit -n {descriptors}") as cluster:
        cluster.ask()
        with ExitStack() as stack:
            for _ in range(2 * descriptors):
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", cluster.port)))
                sock.setblocking(False)
            time.sleep(0.2)
            start = time.perf_counter()
            cluster.ask()
            meanwhile_s = time.perf_counter() - start
        start = time.perf_counter()
        cluster.ask()
        after_s = time.perf_counter() - start
        wrong = [f"served again after {after_s:.2f} s"] if after_s > 1 else []
        figures = {
            "descriptors": descriptors,
            "meanwhile, s": round(meanwhile_s, 2),
            "afterwards, s": round(after_s, 2),
        }
        return figures, [*wrong, *cluster.problems()]
