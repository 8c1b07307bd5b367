"""Results in the order in which they come, at the client and inside a task."""

import trio
from _start import start

import triort


async def nap(seconds: float) -> float:
    await trio.sleep(seconds)
    return seconds


async def collect(naps: list[float]) -> list[float]:
    rt = triort.get_runtime()
    future = rt.map(nap, naps)
    seen = []
    async for _, value in rt.as_completed(future):
        seen.append(value)
    return seen


async def collect_batches(naps: list[float]) -> list[tuple[int, float]]:
    rt = triort.get_runtime()
    future = rt.map(nap, naps)
    seen: list[tuple[int, float]] = []
    while len(seen) < len(naps):
        seen += await rt.next(future)
    return seen


async def main(client: triort.Client, size: int) -> None:
    naps = [0.01 * number for number in range(size)]
    print("all:", sorted(await client.run(collect, naps)) == naps)
    print("in batches:", sorted(await client.run(collect_batches, naps)) == list(enumerate(naps)))

    async for index, value in client.as_completed(nap, [0.0, 60.0]):
        print("first:", index, value)
        break


if __name__ == "__main__":
    start(main, size=5, meaning="how many naps")
