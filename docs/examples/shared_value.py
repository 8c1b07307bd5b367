"""A large value for many tasks: put it once, and each worker gets it once."""

from _start import start

import triort

Table = list[int]


def make_table(size: int) -> Table:
    return [number * number for number in range(size)]


def look_up(table: Table, index: int) -> int:
    return table[index]


async def look_up_all(size: int) -> int:
    rt = triort.get_runtime()
    ref = rt.put(make_table(size))
    values = await rt.map(look_up, [ref] * 100, range(0, size, size // 100))
    return sum(values)


def look_up_cached(size: int, index: int) -> int:
    cache = triort.get_runtime().get_cache()
    if "table" not in cache:
        cache["table"] = make_table(size)
    return cache["table"][index]


async def main(client: triort.Client, size: int) -> None:
    print("put:", await client.run(look_up_all, size))
    print("cached:", sum(await client.map(look_up_cached, [size] * 100, range(0, size, size // 100))))


if __name__ == "__main__":
    start(main, size=100_000, meaning="how many entries the table has")
