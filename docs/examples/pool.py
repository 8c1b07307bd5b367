"""A pool as `concurrent.futures` has them: futures, maps, and two things more: nesting, and a cancel of what runs."""

from concurrent.futures import as_completed

from _start import start_pool

import triort


def collatz(n: int) -> int:
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


def longest_below(pool: triort.Executor, n: int) -> int:
    return max(pool.map(collatz, range(1, n), chunksize=50))


def forever() -> None:
    while True:
        pass


def main(pool: triort.Executor, size: int) -> None:
    futures = {pool.submit(collatz, n): n for n in range(1, size)}
    longest = max(as_completed(futures), key=lambda future: future.result())
    print(f"{futures[longest]} takes {longest.result()} steps")

    print("in a task, by the same pool:", pool.submit(longest_below, pool, size).result())

    running = pool.submit(forever)
    while not running.running():
        pass
    print("cancelled while it ran:", running.cancel())


if __name__ == "__main__":
    start_pool(main, size=1000, meaning="below which number to look")
