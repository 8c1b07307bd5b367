"""A parent talks to its children, whether they have started yet or not."""

import trio
from _start import start

import triort


async def collect_until_told() -> list[str]:
    rt = triort.get_runtime()
    heard: list[str] = []
    while "stop" not in heard:
        await trio.sleep(0.01)
        heard += rt.get_messages()
    return heard


async def conduct(num_children: int) -> list[list[str]]:
    rt = triort.get_runtime()
    children = [rt.submit(collect_until_told) for _ in range(num_children)]
    for text in ("go on", "stop"):
        await trio.sleep(0.05)
        for child in children:
            rt.communicate(child, text)
    return [await child for child in children]


async def main(client: triort.Client, size: int) -> None:
    heard = await client.run(conduct, size)
    print(f"{size} children have heard the same: {heard == [['go on', 'stop']] * size}")


if __name__ == "__main__":
    start(main, size=5, meaning="how many children")
