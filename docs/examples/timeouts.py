"""Time limits: as a task option, and by trio's own cancel scopes. Both stop the work, wherever it runs."""

import trio
from _start import start

import triort


def spin(rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total += number
    return total


async def nap(seconds: float) -> str:
    await trio.sleep(seconds)
    return "slept well"


async def limited() -> str:
    rt = triort.get_runtime()
    try:
        return await rt.options(timeout_s=0.2).submit(nap, 60)
    except triort.TaskTimeout as exc:
        return str(exc)


async def main(client: triort.Client, size: int) -> None:
    print(await client.run(limited))

    try:
        await client.options(timeout_s=0.2, name="spinner").run(spin, 10**12)
    except triort.TaskTimeout as exc:
        print(exc)

    with trio.move_on_after(0.2) as scope:
        await client.map(spin, [10**12] * size)
    print("out of time:", scope.cancelled_caught)
    print("and the workers are free:", await client.run(spin, 10))


if __name__ == "__main__":
    start(main, size=4, meaning="how many tasks without end")
