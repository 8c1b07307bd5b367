"""What a task raises arrives as itself, where it was waited for."""

import os

from _start import start

import triort


class BadRow(Exception):
    """A row that makes no sense."""


def parse(row: str) -> int:
    if not row.isdigit():
        raise BadRow(f"not a number: {row!r}")
    return int(row)


async def careful(rows: list[str]) -> int:
    rt = triort.get_runtime()
    total = 0
    for future in [rt.submit(parse, row) for row in rows]:
        try:
            total += await future
        except BadRow as exc:
            print(f"skipped: {exc}")
    return total


def leave() -> None:
    raise SystemExit(3)


def die() -> None:
    os._exit(9)


async def main(client: triort.Client, size: int) -> None:
    rows = [str(number) for number in range(size)]
    print("careful:", await client.run(careful, [*rows, "seven"]))

    try:
        await client.map(parse, [*rows, "seven"])
    except BadRow as exc:
        print("hasty:", exc)
        print("raised in:", "in parse" in str(exc.__cause__))

    try:
        await client.run(leave)
    except triort.RemoteError as exc:
        print("no Exception:", exc)

    try:
        await client.options(crash_limit=1).run(die)
    except triort.TaskCrashed as exc:
        print("no worker any more: exit code", exc.crash.exit_code)
    print("the cluster goes on:", await client.run(parse, "42"))


if __name__ == "__main__":
    start(main, size=5, meaning="how many good rows")
