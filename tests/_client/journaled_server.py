"""A server with workers of its own and a journal, as a process: ``python -m … PATH PORT WORKERS``."""

import sys

import trio

import triort


def main() -> None:
    path, port, num_workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    server = triort.Server(None, port, num_workers=num_workers, journal=path)
    server.on_listening = lambda node: print(node.port, flush=True)
    trio.run(server.run)


if __name__ == "__main__":
    main()
