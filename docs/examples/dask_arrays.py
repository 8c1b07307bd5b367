"""Dask arrays on triort: the pool is Dask's scheduler."""

import dask
import dask.array
from _start import start_pool

import triort


def spread(size: int) -> float:
    numbers = dask.array.arange(size, chunks=max(size // 8, 1)) % 1000
    return float(numbers.std().compute())


def main(pool: triort.Executor, size: int) -> None:
    with dask.config.set(scheduler=pool):
        value = spread(size)
    print(f"spread: {value:.3f}")

    with dask.config.set(scheduler="synchronous"):
        print("the same without triort:", spread(size) == value)


if __name__ == "__main__":
    start_pool(main, size=1_000_000, meaning="how many numbers")
