"""SciPy on triort: an optimizer whose function is called by the map of a pool."""

from _start import start_pool
from scipy.optimize import differential_evolution, rosen

import triort


def main(pool: triort.Executor, size: int) -> None:
    bounds = [(-2.0, 2.0)] * 3
    found = differential_evolution(rosen, bounds, rng=1, maxiter=size, updating="deferred", workers=pool.map)
    print("at", [round(float(x), 3) for x in found.x])


if __name__ == "__main__":
    start_pool(main, size=100, meaning="how many rounds")
