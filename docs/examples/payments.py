"""Orders are settled by tasks: each takes the money and then sends the receipt, which takes a while.

`settle` has a bug that a test on real workers does not find: a worker may die in between. Its task then runs again, as
tasks do, and takes the money a second time. The test on simulated clusters finds it. `settle_once` mends it. Run the
tests, one of which fails, with `pytest docs/examples/payments.py`.
"""

import sys
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

import triort
from triort.testing import Faults, Sim, sim_test

Settle = Callable[[Path, int], Coroutine[None, None, int]]

ORDERS = range(10)


async def settle(ledger: Path, order: int) -> int:
    with ledger.open("a") as file:
        file.write(f"{order}\n")
    await send_receipt(order)
    return order


async def settle_once(ledger: Path, order: int) -> int:
    try:
        ledger.with_suffix(f".{order}").touch(exist_ok=False)  # of all attempts, one can do this
    except FileExistsError:
        print(f"order {order} has been charged before", file=sys.stderr)
    else:
        with ledger.open("a") as file:
            file.write(f"{order}\n")
    await send_receipt(order)
    return order


async def send_receipt(order: int) -> None:
    await trio.sleep(0.05)  # a mail server


async def settle_all(how: Settle, ledger: Path, orders: Iterable[int]) -> int:
    orders = list(orders)
    return len(await triort.get_runtime().map(how, [ledger] * len(orders), orders))


def charges(ledger: Path) -> list[int]:
    return sorted(int(line) for line in ledger.read_text().splitlines())


def test_on_real_workers() -> None:
    with TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        triort.run(settle_all, settle, ledger, ORDERS, num_workers=2)
        assert charges(ledger) == list(ORDERS)


@pytest.mark.parametrize("how", [settle, settle_once])
@sim_test(seeds=50, levels=(2, 2), faults=Faults.only("crash_worker"))
async def test_nobody_pays_twice(sim: Sim, how: Settle) -> None:
    with TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        async with sim.client() as client:
            await client.run(settle_all, how, ledger, ORDERS)
        assert charges(ledger) == list(ORDERS)


async def main(client: triort.Client, size: int) -> None:
    with TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        print("settled:", await client.run(settle_all, settle_once, ledger, range(size)))
        print("each charged once:", charges(ledger) == list(range(size)))


if __name__ == "__main__":
    from _start import start

    start(main, size=10, meaning="number of orders")
