"""Four hosts on a network of their own: a server, a manager, a client, and a stranger who can reach the server.

Each is a network namespace, with a wire (a pair of veth) to the server's. They have the access file of their role
and no other one; the stranger has none. All of it is in a user namespace, so nobody has to be root, and nothing of the
real network is touched.

    python -m tests.security.hosts      inside ``unshare -rn`` alone, as `run_hosts` calls it
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.access import new_authority, write_access
from tests.security.cluster import BOUND_S, ROOT
from tests.security.stranger import is_alert, knock
from triort._model.roles import Badge

INSIDE = "TRIORT_SECURITY_NAMESPACE"
NEED = "namespaces with veth, by unshare, nsenter and ip"
NAMES = ("manager", "client", "stranger")
Part = tuple[dict[str, Any], list[str]]


def run_hosts() -> Part:
    """The whole scene, in a namespace of its own; left out, with the reason, where there can be none."""
    try:
        probe = "ip link set lo up && ip link add name v0 type veth peer name v1"
        subprocess.run(["unshare", "-rn", "sh", "-c", probe], check=True, capture_output=True)
        subprocess.run(["nsenter", "--version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        return {"left out": f"there are no {NEED}: {exc}"}, []
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-m", "tests.security.hosts"],
        cwd=ROOT, env={**os.environ, INSIDE: "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        figures, wrong = json.loads(done.stdout)
    except ValueError:
        return {}, [f"the run inside ended with code {done.returncode}: {done.stderr[-1_000:]}"]
    return figures, wrong


# -- inside ------------------------------------------------------------------------------------------------------


def address(name: str, *, of_server: bool = False) -> str:
    """Of a host, or of the server's end of the wire to it."""
    return f"10.77.{NAMES.index(name)}.{1 if of_server else 2}"


def ip(*words: str, inside: list[str] | None = None) -> None:
    subprocess.run([*(inside or []), "ip", *words], check=True)


@contextmanager
def host(name: str) -> Iterator[list[str]]:
    """A namespace with a wire to this one; gives the words that run a command there."""
    with subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()  # it is in its namespace now
            there = ["nsenter", "-t", str(holder.pid), "-n"]
            ip("link", "add", "name", f"to-{name}", "type", "veth", "peer", "name", "wire")
            ip("link", "set", "wire", "netns", str(holder.pid))
            ip("addr", "add", f"{address(name, of_server=True)}/24", "dev", f"to-{name}")
            ip("addr", "add", f"{address(name)}/24", "dev", "wire", inside=there)
            ip("link", "set", f"to-{name}", "up")
            for device in ("lo", "wire"):
                ip("link", "set", device, "up", inside=there)
            yield there
        finally:
            holder.kill()


@contextmanager
def node(there: list[str], kind: str, access: Path, *words: str) -> Iterator[int]:
    """A server or manager; gives its port."""
    command = [*there, sys.executable, "-m", f"triort._cli.{kind}", "-p", "0", "--access", str(access), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"listening for .* on \S+:(\d+)", process.stdout.readline())
            assert found, f"the {kind} does not listen"
            yield int(found[1])
        finally:
            process.terminate()
            process.wait(BOUND_S)


def ask(there: list[str], *words: str) -> str:
    """What a command of triort says, there."""
    done = subprocess.run(
        [*there, sys.executable, "-m", "triort", *words], capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    return (done.stdout if done.returncode == 0 else f"error: {done.stderr}").strip()


def run_inside(folder: Path) -> Part:
    """Start everything, let the client work and the stranger knock; figures, and what is wrong."""
    authority = new_authority()
    files = {badge: write_access(folder / badge.value, authority, badge) for badge in Badge}
    ip("link", "set", "lo", "up")
    wrong: list[str] = []
    with ExitStack() as stack:
        there = {name: stack.enter_context(host(name)) for name in NAMES}
        at = ["--host", address("manager")]
        port = stack.enter_context(node(there["manager"], "manager", files[Badge.NODE], "-n", "1", *at))
        below = f"{address('manager')}:{port}"
        open_port = stack.enter_context(node([], "server", files[Badge.SERVER], below, "--host", "0.0.0.0"))
        hidden_port = stack.enter_context(node([], "server", files[Badge.SERVER], "--join"))
        server = f"{address('client', of_server=True)}:{open_port}"
        options = ["--connect", server, "--access", str(files[Badge.CLIENT])]
        value = ask(there["client"], "run", *options, "os:cpu_count")
        tree = ask(there["client"], "status", *options)
        if value != str(os.cpu_count()):
            wrong.append(f"the client's task gave {value!r}")
        if "worker" not in tree:
            wrong.append(f"the client's status: {tree!r}")
        said = subprocess.run(
            [*there["stranger"], sys.executable, "-m", "tests.security.hosts", str(open_port), str(hidden_port)],
            stdout=subprocess.PIPE, cwd=ROOT, text=True, timeout=BOUND_S, check=True,
        )  # fmt: skip
        heard: dict[str, str] = json.loads(said.stdout)
        wrong += [f"the stranger was told {heard[what]!r} at {what!r}" for what in heard if not is_alert(heard[what])]
        return {"the client's task": value, "lines of status": len(tree.splitlines()), "words": list(heard)}, wrong


def knock_as_stranger(open_port: int, hidden_port: int) -> dict[str, str]:
    """In the stranger's namespace: what the server says to whatever is said to it."""
    server = address("stranger", of_server=True)
    heard = knock(open_port, server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((server, open_port), BOUND_S) as sock, context.wrap_socket(sock) as tls:
            heard["TLS without a certificate"] = tls.recv(1).decode("latin-1")
    except OSError:
        heard["TLS without a certificate"] = ""
    try:
        with socket.create_connection((server, hidden_port), BOUND_S):
            heard["a server without --host"] = "COME IN"
    except ConnectionRefusedError:
        heard["a server without --host"] = ""
    return heard


def main(words: list[str]) -> None:
    assert os.environ.get(INSIDE) == "1", "this makes network devices: only in a namespace of its own"
    if words:
        print(json.dumps(knock_as_stranger(*map(int, words))))
        return
    with tempfile.TemporaryDirectory(prefix="triort-hosts-") as name:
        print(json.dumps(run_inside(Path(name))))


if __name__ == "__main__":
    main(sys.argv[1:])
