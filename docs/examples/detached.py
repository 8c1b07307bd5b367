"""Jobs that outlive those who have submitted them: started in one session, fetched in the next."""

import trio
from _start import start

import triort


async def count_primes(limit: int) -> int:
    await trio.sleep(0.2)
    return sum(all(n % k for k in range(2, int(n**0.5) + 1)) for n in range(2, limit))


async def begin(client: triort.Client, limit: int) -> int:
    job = await client.submit(count_primes, limit, detached=True)
    return job.id  # write it down: it is all that anybody needs


async def fetch(client: triort.Client, job_id: int) -> int:
    job = await client.attach(job_id)
    count: int = await job.result()
    await job.forget()
    return count


async def main(client: triort.Client, size: int) -> None:
    job_id = await begin(client, size)
    print((await (await client.attach(job_id)).status()).state)
    print(f"primes below {size}: {await fetch(client, job_id)}")
    try:
        await fetch(client, job_id)
    except triort.UsageError:
        print("and now it is forgotten")


if __name__ == "__main__":
    start(main, size=10_000, meaning="where to stop looking for primes")
