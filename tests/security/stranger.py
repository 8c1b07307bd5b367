"""Another user of the same host, without access files, at every documented port; and what listens by default.

The worker port of a manager that waits for workers names the path of a Unix socket and hangs up; the socket lies in a
folder that the stranger cannot enter. All other ports hang up, whatever he says.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.security.cluster import BOUND_S, ROOT

NOBODY = 65_534
"localhost".encode("idna")  # the stranger cannot read the library: what it needs is loaded before
PORTS = {"client": "7472", "manager": "7473", "worker": "7474"}
WORDS = {
    "nothing": b"",
    "a request": b"GET / HTTP/1.0\r\n\r\n",
    "a pickle": b"\x80\x05\x95\x10\x00\x00\x00",
    "a frame": struct.pack("<II", 8, 4) + b"\x91\x91\x01",
    "noise": bytes(range(256)) * 8,
}


def as_nobody(do: Callable[[], Any]) -> Any:
    """What ``do`` gives in a process of another user; needs to be root."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writer, json.dumps(do()).encode())
            code = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader, "rb") as answers:
        said = answers.read()
    os.waitpid(pid, 0)
    return json.loads(said)


def knock(port: int, host: str = "127.0.0.1") -> dict[str, str]:
    """What a port says to each of the words before it hangs up."""
    heard = {}
    for name, words in WORDS.items():
        with socket.create_connection((host, port), 10) as sock:
            sock.sendall(words)
            said = b""
            try:
                while data := sock.recv(4_096):
                    said += data
            except TimeoutError:
                said += b"(LEFT OPEN)"
            except OSError:
                pass
            heard[name] = said.decode("latin-1")
    return heard


def enter(path: str) -> str:
    """What comes of a look at the worker's door."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
        except PermissionError:
            return "no entry"
        except OSError as exc:
            return str(exc)
    return "LET IN"


def read(folder: str) -> list[str]:
    """Which access files can be read."""
    found = []
    for name in ("server", "node", "client"):
        try:
            with open(f"{folder}/{name}.pem", "rb") as file:
                found.append(f"{name}: {file.read(9)!r}")
        except OSError:
            continue
    return found


def listeners() -> list[str]:
    """The addresses in ``ss -ltn`` that have a documented port."""
    done = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, timeout=BOUND_S, check=True)
    addresses = [line.split()[3] for line in done.stdout.splitlines()]
    return sorted(address for address in addresses if address.rpartition(":")[2] in PORTS.values())


def run_stranger() -> tuple[dict[str, Any], list[str]]:
    """Start server and manager at their default ports, without any option, and try them as another user."""
    with tempfile.TemporaryDirectory(prefix="triort-stranger-") as name:
        folder = Path(name)
        environment = {k: v for k, v in os.environ.items() if k != "TRIORT_ACCESS"}
        environment |= {"XDG_CONFIG_HOME": str(folder), "PYTHONPATH": str(ROOT), "TMPDIR": name}
        folder.chmod(0o755)
        processes = []
        try:
            for words in (["manager", "-x", "-n", "1"], ["server", "--join"]):
                command = [sys.executable, "-m", f"triort._cli.{words[0]}", *words[1:]]
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
                processes.append(process)
                assert process.stdout is not None
                assert b"listening" in process.stdout.readline()
            return judge(folder)
        finally:
            for process in processes:
                process.terminate()
                process.wait(BOUND_S)
                assert process.stdout is not None
                process.stdout.close()


def judge(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Try everything; figures, and what is wrong."""
    files = folder / "triort"
    heard = {kind: as_nobody(partial(knock, int(port))) for kind, port in PORTS.items()}
    wrong = []
    for kind in ("client", "manager"):
        wrong += [f"{kind} port to {what}: {said!r}" for what, said in heard[kind].items() if not is_alert(said)]
    paths = set(heard["worker"].values())
    path = next(iter(paths)).strip()
    if len(paths) != 1 or not re.fullmatch(r"/\S+/workers", path):
        wrong.append(f"worker port: {paths}")
    door, files_read, open_at = as_nobody(lambda: enter(path)), as_nobody(lambda: read(str(files))), listeners()
    if door != "no entry":
        wrong.append(f"the worker's door: {door}")
    wrong += [f"access file of another user: {each}" for each in files_read]
    wrong += [f"listens on {address}" for address in open_at if not address.startswith(("127.0.0.1:", "[::1]:"))]
    return {"ports": PORTS, "words": list(WORDS), "the worker's door": door, "listens on": open_at}, wrong


def is_alert(said: str) -> bool:
    """Whether nothing was said, or no more than an alert of TLS."""
    return said == "" or (said[0] == "\x15" and len(said) <= 7)
