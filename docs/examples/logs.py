"""What tasks print and log comes out at the client."""

import logging
import sys

from _start import start

import triort


def step(number: int) -> int:
    logging.getLogger("steps").info("squaring %d", number)
    return number * number


async def steps(size: int) -> int:
    rt = triort.get_runtime()
    print(f"taking {size} steps")
    total = 0
    for number in range(size):
        total += await rt.submit(step, number, task_name=f"step-{number}", log_context={"number": str(number)})
    return total


async def main(client: triort.Client, size: int) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s [%(task_name)s, run %(run)s]: %(message)s"))
    logger = logging.getLogger("steps")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

    print(await client.options(log_context={"run": "A7"}).run(steps, size))


if __name__ == "__main__":
    start(main, size=3, meaning="how many steps")
