"""One task, on some worker."""

import os

from _start import start

import triort


def hello(name: str) -> tuple[str, int]:
    return f"hello, {name}", os.getpid()


async def main(client: triort.Client, size: int) -> None:
    greeting, pid = await client.run(hello, "world")
    print(greeting)
    print("from another process:", pid != os.getpid())

    print(await client.map(abs, range(-size, 0)))


if __name__ == "__main__":
    start(main, size=5, meaning="how many numbers")
