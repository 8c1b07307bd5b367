"""First answer wins, the rest are cancelled: several ways to find a factor of a large number race each other.

Which of them is fastest depends on the number, and cannot be known beforehand. All are plain functions that never
look left or right; the losers are stopped in the middle of their computing.
"""

import math
import sys
import time
from collections.abc import Callable
from functools import partial

import trio
from _start import start

import triort

Strategy = Callable[[int], int]


def rho(number: int, constant: int) -> int:
    """Pollard's rho: a walk that falls into a cycle modulo a factor first."""
    slow = fast = 2
    factor = 1
    while factor == 1:
        slow = (slow * slow + constant) % number
        fast = (fast * fast + constant) % number
        fast = (fast * fast + constant) % number
        factor = math.gcd(abs(slow - fast), number)
    return factor if factor < number else 0


def fermat(number: int) -> int:
    """Fermat: a difference of two squares; fast if the factors are close together."""
    root = math.isqrt(number - 1) + 1
    while math.isqrt(root * root - number) ** 2 != root * root - number:
        root += 1
    return root - math.isqrt(root * root - number)


def trial(number: int) -> int:
    """Divide by one number after the other; fast if a factor is small."""
    if number % 2 == 0:
        return 2
    for factor in range(3, math.isqrt(number) + 1, 2):
        if number % factor == 0:
            return factor
    return number


STRATEGIES: dict[str, Strategy] = {
    "rho, +1": partial(rho, constant=1),
    "rho, +3": partial(rho, constant=3),
    "Fermat": fermat,
    "trial division": trial,
}


async def race(client: triort.Client, number: int) -> tuple[str, int]:
    """One job for each strategy, in a trio nursery; the first that finds a factor cancels the nursery."""
    answers: list[tuple[str, int]] = []

    async with trio.open_nursery() as nursery:

        async def compete(name: str, strategy: Strategy, delay_s: float) -> None:
            await trio.sleep(delay_s)
            factor = await client.options(name=name).run(strategy, number)
            if factor:  # rho may fail to find one
                answers.append((name, factor))
                nursery.cancel_scope.cancel()

        for rank, (name, strategy) in enumerate(STRATEGIES.items()):
            nursery.start_soon(compete, name, strategy, 0.02 * rank)  # the most promising gets a worker first

    return answers[0]


async def patient_rho(number: int, constant: int) -> int:
    """As `rho`, but it lets others on its worker go on every now and then."""
    slow = fast = 2
    while True:
        for _ in range(1000):
            slow = (slow * slow + constant) % number
            fast = (fast * fast + constant) % number
            fast = (fast * fast + constant) % number
            factor = math.gcd(abs(slow - fast), number)
            if factor > 1:
                return factor if factor < number else 0
        await trio.lowlevel.checkpoint()


async def race_inside(number: int) -> int:
    """The same as a task: its children race, and it takes what comes first."""
    rt = triort.get_runtime()
    constants = [1, 3, 5, 7]
    future = rt.map(patient_rho, [number] * len(constants), constants)
    for _ in constants:
        for _, factor in await rt.next(future):
            if factor:
                rt.cancel(future)
                return factor
    return number


def make_number(digits: int) -> int:
    """A product of two primes with so many digits."""
    lower = 10 ** ((digits - 1) // 2) + 1
    return next_prime(lower) * next_prime(3 * lower)


def next_prime(number: int) -> int:
    """The next number that is, for all that Fermat's test can tell, a prime."""
    while any(pow(base, number - 1, number) != 1 for base in (2, 3, 5, 7)):
        number += 1
    return number


async def main(client: triort.Client, size: int) -> None:
    number = make_number(size)
    begin = time.perf_counter()
    winner, factor = await race(client, number)
    print(f"{winner} was first, and all had ended after {time.perf_counter() - begin:.2f} s", file=sys.stderr)
    factors = sorted([factor, number // factor])
    print(f"{number} = {factors[0]} × {factors[1]}")

    factor = await client.run(race_inside, number)
    print("the same inside a task:", factor in factors)


if __name__ == "__main__":
    start(main, size=22, meaning="digits of the number")
