"""Jobs that run beside each other: submit, look, cancel."""

import trio
from _start import start

import triort


async def nap(seconds: float) -> str:
    await trio.sleep(seconds)
    return f"slept for {seconds} s"


async def main(client: triort.Client, size: int) -> None:
    short = await client.submit(nap, 0.1)
    endless = await client.options(name="endless", priority=-1).submit(nap, 1e6)
    print(await short.result())
    print((await short.status()).state, (await endless.status()).state)

    await endless.cancel()
    print((await endless.status()).state)
    try:
        await endless.result()
    except triort.TaskCancelled as exc:
        print(exc)

    tree = await client.status()
    print("workers:", tree.num_workers >= size)


if __name__ == "__main__":
    start(main, size=1, meaning="how many workers there should be at least")
