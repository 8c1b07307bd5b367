"""A boss to be killed by `test_template`: starts the named entries, prints what each of them tells, and stays."""

import json
import os
import sys
import time

import trio

from triort._node.spawning import SpawnedWorker, open_template


async def hear(worker: SpawnedWorker) -> dict[str, int]:
    await trio.lowlevel.wait_readable(worker.sock)
    told: dict[str, int] = json.loads(worker.sock.recv(4096))
    return told


async def main() -> None:
    async with open_template() as template:
        print(json.dumps({"template": template.pid}), flush=True)
        for node_id, entry in enumerate(sys.argv[1:]):
            path = [os.path.dirname(__file__), *sys.path]
            worker = await template.spawn(node_id, sys_path=path, entry=f"template_entries:{entry}")
            print(json.dumps(await hear(worker)), flush=True)
        if os.environ.get("BOSS_FORKS") and os.fork() == 0:
            time.sleep(1000)  # noqa: ASYNC251  # this process holds all that the boss has open
        print("{}", flush=True)
        await trio.sleep_forever()


trio.run(main)
