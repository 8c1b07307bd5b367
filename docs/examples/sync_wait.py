"""Sync code waits for its children with ``future.result()``: no ``async`` anywhere, and no slot held meanwhile."""

from _start import start

import triort


def merge_sort(numbers: list[int]) -> list[int]:
    if len(numbers) <= 16:
        return sorted(numbers)
    rt = triort.get_runtime()
    middle = len(numbers) // 2
    future = rt.submit(merge_sort, numbers[:middle])
    right = merge_sort(numbers[middle:])
    return merge(future.result(), right)


def merge(left: list[int], right: list[int]) -> list[int]:
    merged = []
    while left and right:
        merged.append(left.pop() if left[-1] > right[-1] else right.pop())
    return left + right + merged[::-1]


async def main(client: triort.Client, size: int) -> None:
    numbers = [number * 7919 % size for number in range(size)]
    result = await client.run(merge_sort, numbers)
    print(f"{size} numbers in order: {result == sorted(numbers)}")


if __name__ == "__main__":
    start(main, size=2000, meaning="how many numbers")
