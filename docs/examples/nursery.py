"""A nursery whose children run on any worker."""

from _start import start

import triort


def power(base: int, exponent: int) -> int:
    return base**exponent


def refuse(reason: str) -> None:
    raise ValueError(reason)


async def powers(top: int) -> dict[int, int]:
    async with triort.open_nursery() as nursery:
        handles = {n: nursery.start_soon(power, 2, n) for n in range(top)}
    return {n: handle.value for n, handle in handles.items()}


async def troubled() -> list[str]:
    reasons = []
    try:
        async with triort.open_nursery() as nursery:
            nursery.start_soon(power, 2, 3)
            nursery.start_soon(refuse, "not today")
    except* ValueError as group:
        reasons = [str(exc) for exc in group.exceptions]
    return reasons


async def main(client: triort.Client, size: int) -> None:
    print(await client.run(powers, size))
    print(await client.run(troubled))


if __name__ == "__main__":
    start(main, size=6, meaning="how many powers of two")
